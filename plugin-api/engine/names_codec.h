// What dockerd's Engine API says of networks and containers: bytes to values. Pure; fuzzed by
// tests/fuzz/fuzz_engine.cpp. Of Docker 20.10 to 29, shortened:
//
//   GET /networks
//     [{"Name":"shop_default","Id":"6cdb...","Driver":"fairlead",
//       "Labels":{"com.docker.compose.project":"shop"}}]
//   GET /containers/json
//     [{"Id":"f1e2...","Names":["/shop_web_1","/other/db"],"Labels":{
//       "com.docker.compose.project":"shop","com.docker.compose.service":"web"},
//       "NetworkSettings":{"Networks":{"shop_default":{"NetworkID":"6cdb...",
//         "EndpointID":"6107..."}}}}]
//   GET /containers/f1e2.../json
//     {"Id":"f1e2...","Name":"/shop_web_1","HostConfig":{"Dns":["192.0.2.53"]},
//       "Config":{"Hostname":"f1e2d3c4b5a6","Labels":{...}},
//       "NetworkSettings":{"Networks":{"shop_default":{"NetworkID":"6cdb...",
//         "EndpointID":"6107...","Aliases":["web","f1e2d3c4b5a6"]}}}}
//   GET /events, one object a line
//     {"Type":"container","Action":"start","Actor":{"ID":"f1e2...","Attributes":{"name":"web"}}}
//     {"Type":"network","Action":"connect","Actor":{"ID":"6cdb...","Attributes":{
//       "container":"f1e2...","name":"shop_default"}}}
//
// One object that cannot be read does not hide the others: it is left out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "network/api/names.h"

namespace fairlead::engine {

// Of a container's labels the first ones, in the order of their keys, are kept.
inline constexpr std::size_t kMostLabels = 64;
inline constexpr std::size_t kMostLabelKeyBytes = 256;
inline constexpr std::size_t kMostLabelBytes = 1024;  // of a value
inline constexpr std::size_t kMostNameBytes = 255;
inline constexpr std::size_t kMostAliases = 64;
inline constexpr std::size_t kMostServers = 8;

// Errors are kInvalid: the text is not JSON, or is not an array.
Result<std::vector<network::RuntimeNetwork>> decode_networks(std::string_view body);
// The ids of the containers that have endpoints.
Result<std::vector<std::string>> decode_containers(std::string_view body);
// One for each endpoint of the container.
Result<std::vector<network::NamedEndpoint>> decode_endpoints(std::string_view body);

// Whose names may be new. Both may be empty: an event that tells nothing of them.
struct NameEvent {
  std::string network, container;  // ids

  bool operator==(const NameEvent&) const = default;
};
Result<NameEvent> decode_event(std::string_view line);

}  // namespace fairlead::engine
