// Computes the changes that make a device have the wanted peers, from the peers that it has. Pure
// functions.
#pragma once

#include <span>
#include <vector>

#include "network/kernel/tunnels/wireguard.h"

namespace fairlead::kernel {

// The most addresses that a peer may have, so that the change of a peer fits into one message.
inline constexpr std::size_t kMaxAllowedIps = 256;

// The change of one peer. Settings without a value stay as they are.
struct PeerStep {
  enum class Verb { kAdd, kChange, kRemove };
  Verb verb = Verb::kAdd;
  PublicKey key;
  std::optional<UdpEndpoint> endpoint{};
  std::optional<std::uint16_t> keepalive{};
  bool drop_preshared = false;
  bool replace_allowed_ips = false;  // false: `allowed_ips` are added
  std::vector<Cidr> allowed_ips{};

  bool operator==(const PeerStep&) const = default;
};

struct PeerPlan {
  // Steps that add addresses come first, removals of peers last. An address that moves is taken
  // from its old peer by giving it to the new one.
  std::vector<PeerStep> steps;
  WireguardPeerChanges changes;
};

// kInvalid when the spec has no private key or port, an address that is not one of a host, or an
// MTU that is too small.
Status validate(const WireguardLinkSpec& spec);
Result<PeerPlan> plan_peers(const WireguardLinkState& held, std::span<const WireguardPeer> wanted);

}  // namespace fairlead::kernel
