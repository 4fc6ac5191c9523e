// What the bridge driver remembers of a network and of an endpoint (DriverRecord).
#pragma once

#include <string>
#include <string_view>

#include "network/api/types.h"

namespace fairlead::network {

inline constexpr std::string_view kBridgePrefix = "fl-";  // and 12 digits of the network's id
inline constexpr std::string_view kVethPrefix = "flh";    // and 12 digits
inline constexpr std::string_view kPeerPrefix = "flc";    // while the runtime has not taken it

struct BridgeRecord {
  IfName bridge;
  bool foreign = false;  // it existed before: it is used, but never deleted
  MacAddress mac;        // its present one; a foreign bridge keeps its MAC from the first use on
  // For a foreign bridge; void after a reboot:
  std::string boot;              // the boot in which its MAC was last fixed
  bool localnet_opened = false;  // Fairlead switched its route_localnet on, and has to put it back

  static BridgeRecord of(const DriverRecord& links);
  static BridgeRecord of(const Network& network) { return of(network.links); }
  DriverRecord text() const;
};

// The host's side of an endpoint's veth pair. Its name follows from ids, so that a crash leaves no
// link whose name nobody knows.
IfName host_side_of(const Endpoint& endpoint);
DriverRecord veth_record(const Network& network, const Endpoint& endpoint);

}  // namespace fairlead::network
