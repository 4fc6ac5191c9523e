#include "tests/support/fake_wireguard_links.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "network/kernel/tunnels/wireguard_plan.h"

namespace fairlead::testing {

using kernel::PeerPlan;
using kernel::PeerStep;
using kernel::PublicKey;
using kernel::WireguardLinkSpec;
using kernel::WireguardLinkState;
using kernel::WireguardPeer;
using kernel::WireguardPeerChanges;
using kernel::WireguardPeerState;

void FakeWireguardLinks::fail_next(const std::string& verb, Error error) {
  const std::lock_guard lock(mutex_);
  failures_[verb] = std::move(error);
}

void FakeWireguardLinks::set_supported(bool supported) {
  const std::lock_guard lock(mutex_);
  supported_ = supported;
}

std::vector<Cidr> FakeWireguardLinks::addresses(const IfName& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = devices_.find(name);
  return found == devices_.end() ? std::vector<Cidr>() : found->second.spec.addresses;
}

void FakeWireguardLinks::move_peer(const IfName& device, const PublicKey& peer,
                                   const kernel::UdpEndpoint& to) {
  const std::lock_guard lock(mutex_);
  devices_.at(device).peers.at(peer).peer.endpoint = to;
}

PublicKey FakeWireguardLinks::public_key(const kernel::PrivateKey& key) {
  std::vector<std::uint8_t> bytes(key.bytes().begin(), key.bytes().end());
  for (std::uint8_t& byte : bytes) byte ^= 0x5a;
  return *PublicKey::from_bytes(bytes);
}

Status FakeWireguardLinks::enter(const std::string& verb) {
  const auto ordered = failures_.find(verb);
  if (ordered == failures_.end()) return {};
  Error error = ordered->second;
  failures_.erase(ordered);
  return fail(std::move(error));
}

Status FakeWireguardLinks::supported() const {
  if (supported_) return {};
  return fail(Error{Code::kUnsupported, EOPNOTSUPP, "this kernel has no WireGuard"});
}

Result<FakeWireguardLinks::Device*> FakeWireguardLinks::device(const IfName& name) {
  TRY(const kernel::Link link, links_.find(name));
  const auto found = devices_.find(name);
  if (found == devices_.end() || found->second.index != link.index)
    return fail(Code::kInvalid, "interface {} is not WireGuard's", name.str());
  return &found->second;
}

WireguardLinkState FakeWireguardLinks::state_of(const Device& device) {
  WireguardLinkState state{.key = public_key(device.spec.private_key), .port = device.spec.port};
  for (const auto& [key, peer] : device.peers) state.peers.push_back(peer);
  return state;
}

Status FakeWireguardLinks::probe() {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("probe"));
  return supported();
}

Result<kernel::WireguardLink> FakeWireguardLinks::ensure(const WireguardLinkSpec& spec) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("ensure"));
  TRY_STATUS(validate(spec));
  const auto present = links_.find(spec.name);
  if (present && present->kind != "wireguard")
    return fail(Code::kExists, "make WireGuard link {}: it is not WireGuard's", spec.name.str());
  TRY_STATUS(supported());
  for (const auto& [name, other] : devices_)
    if (const auto link = links_.find(name);
        name != spec.name && other.spec.port == spec.port && link && link->index == other.index)
      return fail(Code::kInUse, "make WireGuard link {}: port {} is taken", spec.name.str(),
                  spec.port);
  const int index = links_.put({.name = spec.name.str(),
                                .kind = "wireguard",
                                .mtu = spec.mtu,
                                .up = true,
                                .alias = spec.alias});
  Device& made = devices_[spec.name];
  if (!present) made.peers.clear();
  made.index = index;
  made.spec = spec;
  made.peers.erase(public_key(spec.private_key));  // as the kernel does
  return kernel::WireguardLink{.index = index, .fresh = !present};
}

Status FakeWireguardLinks::remove(const IfName& name) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("remove"));
  const auto present = links_.find(name);
  if (!present) return {};
  if (present->kind != "wireguard")
    return fail(Code::kExists, "delete WireGuard link {}: it is not WireGuard's", name.str());
  devices_.erase(name);
  return links_.remove(name);
}

Result<WireguardPeerChanges> FakeWireguardLinks::set_peers(const IfName& name,
                                                           std::span<const WireguardPeer> wanted) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("set_peers"));
  TRY(Device * found, device(name));
  TRY(const PeerPlan plan, kernel::plan_peers(state_of(*found), wanted));
  for (const PeerStep& step : plan.steps) {
    if (step.verb == PeerStep::Verb::kRemove) {
      found->peers.erase(step.key);
      continue;
    }
    WireguardPeer& peer = found->peers[step.key].peer;
    peer.key = step.key;
    if (step.endpoint) peer.endpoint = step.endpoint;
    if (step.keepalive) peer.keepalive = *step.keepalive;
    if (step.replace_allowed_ips) peer.allowed_ips.clear();
    for (const Cidr& each : step.allowed_ips) {
      for (auto& [key, other] : found->peers) std::erase(other.peer.allowed_ips, each);
      peer.allowed_ips.push_back(each);
    }
    std::ranges::sort(peer.allowed_ips);
  }
  return plan.changes;
}

Result<WireguardLinkState> FakeWireguardLinks::dump(const IfName& name) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("dump"));
  TRY(const Device* found, device(name));
  return state_of(*found);
}

}  // namespace fairlead::testing
