// What a runtime calls its networks and containers, for one that tells its plugins neither (Docker).
// Whoever asks it keeps the answers here; the verbs of NetworkService show them, also when the
// runtime does not answer any more.
#pragma once

#include <span>
#include <string>
#include <string_view>

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

// Thread-safe. Takes no lock of a network, so that no verb waits for it. What no network or endpoint
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
};

}  // namespace fairlead::network
