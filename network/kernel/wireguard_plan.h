// Which changes make a device have the wanted peers: pure, from what the kernel has.
#pragma once

#include <span>
#include <vector>

#include "network/kernel/wireguard.h"

namespace fairlead::kernel {

// A message holds some peers of some addresses each; one that had more would be cut off.
inline constexpr std::size_t kMaxAllowedIps = 256;

// What is sent of one peer; what is not there is left as it is.
struct PeerStep {
  enum class Verb { kAdd, kChange, kRemove };
  Verb verb = Verb::kAdd;
  PublicKey key;
  std::optional<UdpEndpoint> endpoint{};
  std::optional<std::uint16_t> keepalive{};
  bool drop_preshared = false;
  bool replace_allowed_ips = false;  // else they are added
  std::vector<Cidr> allowed_ips{};

  bool operator==(const PeerStep&) const = default;
};

struct PeerPlan {
  // First those that give addresses, last the removals: an address that moves is taken from one
  // peer by giving it to the other.
  std::vector<PeerStep> steps;
  WireguardPeerChanges changes;
};

// What WireguardLinks says of kInvalid.
Status validate(const WireguardLinkSpec& spec);
Result<PeerPlan> plan_peers(const WireguardLinkState& held, std::span<const WireguardPeer> wanted);

}  // namespace fairlead::kernel
