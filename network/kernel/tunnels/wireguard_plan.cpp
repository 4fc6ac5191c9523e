#include "network/kernel/tunnels/wireguard_plan.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "base/hash.h"

namespace fairlead::kernel {

namespace {

constexpr unsigned kSmallestMtuV6 = 1280;  // RFC 8200, section 5
constexpr unsigned kSmallestMtuV4 = 68;    // RFC 791

using Addresses = std::vector<Cidr>;

// The addresses in the form in which the kernel holds them: without host bits, sorted, and each
// once.
Addresses networks(std::span<const Cidr> addresses) {
  std::set<Cidr> sorted;
  for (const Cidr& each : addresses) sorted.insert(each.network());
  return {sorted.begin(), sorted.end()};
}

Status check_endpoint(const WireguardPeer& peer) {
  if (!peer.endpoint) return {};
  const IpAddress& address = peer.endpoint->address;
  if (address.is_any() || address.is_multicast() || peer.endpoint->port == 0)
    return fail(Code::kInvalid, "peer {}: nobody listens on {}", peer.key.to_string(),
                peer.endpoint->to_string());
  return {};
}

// If two peers had the same address, the kernel would silently give it to the last one only.
Status check_peers(const WireguardLinkState& held, std::span<const WireguardPeer> wanted) {
  std::set<PublicKey> keys;
  std::map<Cidr, PublicKey> owners;
  for (const WireguardPeer& peer : wanted) {
    const std::string name = peer.key.to_string();
    if (peer.key.empty()) return fail(Code::kInvalid, "a peer has no public key");
    if (peer.key == held.key) return fail(Code::kInvalid, "peer {}: is the device itself", name);
    if (!keys.insert(peer.key).second) return fail(Code::kInvalid, "peer {}: is there twice", name);
    TRY_STATUS(check_endpoint(peer));
    if (peer.allowed_ips.size() > kMaxAllowedIps)
      return fail(Code::kInvalid, "peer {}: {} addresses are too many; {} at most", name,
                  peer.allowed_ips.size(), kMaxAllowedIps);
    for (const Cidr& address : networks(peer.allowed_ips))
      if (const auto [owner, is_first] = owners.emplace(address, peer.key); !is_first)
        return fail(Code::kInvalid, "peer {}: {} is already that of peer {}", name,
                    address.to_string(), owner->second.to_string());
  }
  return {};
}

PeerStep addition(const WireguardPeer& peer) {
  return {.verb = PeerStep::Verb::kAdd,
          .key = peer.key,
          .endpoint = peer.endpoint,
          .keepalive = peer.keepalive == 0 ? std::nullopt : std::optional(peer.keepalive),
          .replace_allowed_ips = true,
          .allowed_ips = networks(peer.allowed_ips)};
}

// std::nullopt when the peer is already as wanted.
std::optional<PeerStep> difference(const WireguardPeerState& held, const WireguardPeer& wanted) {
  PeerStep step{.verb = PeerStep::Verb::kChange, .key = wanted.key};
  if (wanted.endpoint && held.peer.endpoint != wanted.endpoint) step.endpoint = wanted.endpoint;
  if (held.peer.keepalive != wanted.keepalive) step.keepalive = wanted.keepalive;
  step.drop_preshared = held.preshared;
  const Addresses has = networks(held.peer.allowed_ips), wants = networks(wanted.allowed_ips);
  // Replacing leaves the peer without addresses for a moment, so it is done only for removals.
  step.replace_allowed_ips = !std::ranges::includes(wants, has);
  if (step.replace_allowed_ips)
    step.allowed_ips = wants;
  else
    std::ranges::set_difference(wants, has, std::back_inserter(step.allowed_ips));
  if (step == PeerStep{.verb = PeerStep::Verb::kChange, .key = wanted.key}) return std::nullopt;
  return step;
}

// The order of the steps: an address is given to its new peer before it is removed from the old
// one.
int rank(const PeerStep& step) {
  if (step.verb == PeerStep::Verb::kRemove) return 2;
  return step.verb == PeerStep::Verb::kChange && step.replace_allowed_ips ? 1 : 0;
}

}  // namespace

std::string UdpEndpoint::to_string() const {
  return address.is_v4() ? fmt::format("{}:{}", address.to_string(), port)
                         : fmt::format("[{}]:{}", address.to_string(), port);
}

Cidr wireguard_address(std::string_view cluster_id, std::string_view host_id) {
  const std::string hex =
      "fd" + hash_hex(cluster_id, 14) + hash_hex(fmt::format("host {}", host_id), 16);
  return Cidr::of(*IpAddress::from_hex(hex), 64);
}

Status validate(const WireguardLinkSpec& spec) {
  const std::string& name = spec.name.str();
  if (spec.private_key.empty())
    return fail(Code::kInvalid, "make WireGuard link {}: there is no private key", name);
  if (spec.port == 0)
    return fail(Code::kInvalid, "make WireGuard link {}: 0 is no port; use 1 to 65535", name);
  unsigned smallest = kSmallestMtuV4;
  for (const Cidr& address : spec.addresses) {
    if (address.address().is_any() || address.address().is_multicast())
      return fail(Code::kInvalid, "make WireGuard link {}: {} is not an address of a host", name,
                  address.to_string());
    if (!address.is_v4()) smallest = kSmallestMtuV6;
  }
  if (spec.mtu < smallest)
    return fail(Code::kInvalid, "make WireGuard link {}: its MTU of {} is too small; {} at least",
                name, spec.mtu, smallest);
  return {};
}

Result<PeerPlan> plan_peers(const WireguardLinkState& held, std::span<const WireguardPeer> wanted) {
  TRY_STATUS(check_peers(held, wanted));
  std::map<PublicKey, const WireguardPeerState*> present;
  for (const WireguardPeerState& each : held.peers) present[each.peer.key] = &each;
  PeerPlan plan;
  for (const WireguardPeer& peer : wanted) {
    const auto found = present.find(peer.key);
    if (found == present.end()) {
      plan.steps.push_back(addition(peer));
      ++plan.changes.added;
      continue;
    }
    if (auto step = difference(*found->second, peer)) {
      plan.steps.push_back(std::move(*step));
      ++plan.changes.changed;
    } else {
      ++plan.changes.unchanged;
    }
    present.erase(found);
  }
  for (const auto& [key, state] : present) {
    plan.steps.push_back({.verb = PeerStep::Verb::kRemove, .key = key});
    ++plan.changes.removed;
  }
  std::ranges::stable_sort(plan.steps, {}, rank);
  return plan;
}

}  // namespace fairlead::kernel
