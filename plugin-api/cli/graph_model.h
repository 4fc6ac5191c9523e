// What a picture of networks shows, as values: made of the records, drawn by graph_text.h and graph_svg.h.
#pragma once

#include <string>
#include <vector>

#include "network/api/service.h"

namespace fairlead::cli {

struct GraphEndpoint {
  std::string title;                     // "web"
  std::vector<std::string> addresses{};  // "10.89.0.2"
  std::vector<std::string> names{};      // by which its neighbours find it
  std::vector<std::string> ports{};      // "0.0.0.0:8080 -> 80/tcp"

  bool operator==(const GraphEndpoint&) const = default;
};

struct GraphNetwork {
  std::string title;  // "shop"
  std::string kind;   // "bridge", "overlay, internal"
  std::vector<std::string> subnets{};
  std::vector<GraphEndpoint> endpoints{};

  bool operator==(const GraphNetwork&) const = default;
};

struct GraphModel {
  std::string host;  // its name
  std::vector<GraphNetwork> networks{};

  bool operator==(const GraphModel&) const = default;
};

// Networks and endpoints in the order of their names, so that two pictures of the same are the same.
GraphModel graph_of(std::string host, const std::vector<network::Network>& networks,
                    const std::vector<network::Endpoint>& endpoints);

// A container on several networks is several endpoints of one title: lines between networks.
struct GraphLink {
  std::size_t network = 0, endpoint = 0;              // one
  std::size_t other_network = 0, other_endpoint = 0;  // and the next one of the same container

  bool operator==(const GraphLink&) const = default;
};
std::vector<GraphLink> links_of(const GraphModel& model);

}  // namespace fairlead::cli
