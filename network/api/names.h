// What a runtime calls its networks and containers, for one that tells its plugins neither (Docker).
// Whoever asks it keeps the answers here; the verbs of NetworkService show them, also when the
// runtime does not answer any more.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network {

// The `runtime` of endpoints whose names have to be asked for.
inline constexpr std::string_view kNamedLater = "docker";

struct NamedEndpoint {
  std::string network;    // the runtime's id of the network
  std::string endpoint;   // its id
  std::string container;  // the runtime's id
  ContainerNames names;

  bool operator==(const NamedEndpoint&) const = default;
};

// Where a network's containers ask for names: one of its gateways.
struct NameServer {
  std::string network_id;
  IpAddress address;
  std::uint16_t port = 0;  // 53, or another one to which questions are led; 0: nobody answers
  std::string problem{};   // of what is not as it should be; for `status`

  auto operator<=>(const NameServer&) const = default;
};

// What answers the names of containers.
struct NameServers {
  bool running = false;                // a process of this host does
  std::vector<NameServer> places{};    // of those that are known to be served, or not to be
  std::vector<IpAddress> upstreams{};  // the host's own servers

  bool operator==(const NameServers&) const = default;
};

// Thread-safe. keep() takes no lock of a network, so that no verb waits for it. What no network or endpoint
// has the id of is passed over, and nothing is written where nothing is new. Names are forgotten
// with their network or endpoint.
class NameService {
 public:
  virtual ~NameService() = default;

  virtual Status keep(std::span<const RuntimeNetwork> networks) = 0;
  // Also finds out what the endpoint's interface is called in the container.
  virtual Status keep(std::span<const NamedEndpoint> endpoints) = 0;
  // Whether names of new endpoints are on their way. While they are, the log line of an attachment
  // waits for them.
  virtual void expect(bool coming) = 0;
  // Who answers names from now on. Containers that ask the host's own servers are led to their network's;
  // who makes links tells containers of it. Nothing of another boot counts.
  virtual Status serve(const NameServers& servers) = 0;
};

}  // namespace fairlead::network
