// What the bridge driver remembers of a network and of an endpoint (DriverRecord).
#pragma once

#include <string>
#include <string_view>

#include "network/api/types.h"
#include "network/kernel/host/own_names.h"

namespace fairlead::network {

inline constexpr std::string_view kBridgePrefix = "fl-";  // and 12 digits of the network's id
inline constexpr std::string_view kVethPrefix = kernel::kPortPrefixes[0];  // "flh", and 12 digits
// With host_interface_prefix=veth, and 8 digits. Runtimes give their veth pairs random letters and digits
// after "veth", and none gives them a dash: a link whose name begins so is nobody else's. (The firewall knows it too:
// nat/bridge_chains.cpp.)
inline constexpr std::string_view kNamedVethPrefix = kernel::kPortPrefixes[1];
inline constexpr std::size_t kNamedVethDigits = 8;
inline constexpr std::string_view kPeerPrefix = "flc";  // while the runtime has not taken it

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
// What follows the prefix in the name of a host's side.
std::string digits_of(const IfName& host_side, std::string_view prefix,
                      std::string_view named_prefix);
// Digits to the base of 36, of which an interface's name holds more than of hex digits.
std::string short_hash(std::string_view text, std::size_t digits, std::uint64_t seed = 0);
// Whether the name is the prefix and that many digits.
bool is_name_of(std::string_view name, std::string_view prefix, std::size_t digits);
DriverRecord veth_record(const Network& network, const Endpoint& endpoint);

}  // namespace fairlead::network
