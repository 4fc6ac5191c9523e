// The way of one packet through this host: out of a container, over bridges, through the rules, along the routes.
#pragma once

#include <string>
#include <vector>

#include "network/api/explain.h"
#include "network/explain/evaluate.h"

namespace fairlead::explain {

// Where an endpoint is attached to the host.
struct Place {
  network::Endpoint endpoint;
  std::string network;  // its name for people
  std::string mode;     // "bridge", "overlay", "macvlan", ...
  std::vector<Cidr> subnets{};
  // Of a network with a bridge: it, and the endpoint's port on it. Of one without: the endpoint's own link. None: its
  // packets do not pass the host's rules.
  std::string bridge{}, port{}, routed_link{};

  bool has(const IpAddress& address) const;
  std::string title() const;  // "container web"
};

struct World {
  const Ruleset& rules;
  const Facts& facts;
  std::vector<Place> places;

  const Place* holder_of(const IpAddress& address) const;  // nullptr: none that is known here
};

// Where a packet has come to.
struct Arrival {
  enum class Kind {
    kNowhere,    // stopped: the last step says why
    kContainer,  // `place`
    kHost,
    kOutside,  // it has left by `link`
    kUnseen,   // it is where this host does not look: the last step says where
  };
  Kind kind = Kind::kNowhere;
  const Place* place = nullptr;
  std::string link{};
};

struct Journey {
  Arrival arrival;
  Packet packet;  // as it arrives
  Flow flow;
  std::vector<network::ExplainStep> steps;
  std::vector<std::string> unknown;  // rules that cannot be told from here
};

// A new flow's first packet. Its source is chosen where it is the unspecified address. Out of a container (one of its
// places), out of the host, or in through a link of the host.
Journey from_container(const World& world, const Place& place, Packet packet);
Journey from_host(const World& world, Packet packet);
Journey from_link(const World& world, const std::string& link, Packet packet);
// What answers the packet that has arrived at a container or at the host.
Journey answer_to(const World& world, const Journey& question);

}  // namespace fairlead::explain
