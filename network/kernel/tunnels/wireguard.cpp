#include "network/kernel/tunnels/wireguard.h"

#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>

#include <algorithm>
#include <cerrno>

#include "base/fault.h"
#include "network/kernel/host/netns.h"
#include "network/kernel/host/sysctl.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/tunnels/wireguard_netlink.h"
#include "network/kernel/tunnels/wireguard_plan.h"

namespace fairlead::kernel {

namespace {

constexpr std::string_view kUnsupportedText =
    "this kernel has no WireGuard, which encrypted networks need; load the module wireguard (Linux "
    "5.6 and newer have it) or make the network without encryption";
constexpr std::uint32_t kConnectedMetric6 =
    256;  // metric of the kernel's own routes (IP6_RT_PRIO_ADDRCONF)

bool is_link_local(const Cidr& address) {
  static const Cidr kLinkLocal = *Cidr::parse("fe80::/10");
  return kLinkLocal.contains(address.address());
}

DeviceChange device_difference(const WireguardLinkSpec& spec, const DeviceDump& present) {
  DeviceChange change;
  if (!(present.private_key == spec.private_key)) change.private_key = spec.private_key;
  if (present.state.port != spec.port) change.port = spec.port;
  change.drop_mark = present.mark != 0;
  return change;
}

// The kernel makes the connected route of an address with the address. This step puts the route
// back if somebody has deleted it; because it has the kernel's own metric there is never a second
// one.
NetlinkStep connected_route(const WireguardLinkSpec& spec, int index, const Cidr& address) {
  RouteSpec route{.destination = address.network()};
  if (!address.is_v4()) route.priority = kConnectedMetric6;
  return {add_route(index, route),
          fmt::format("connect {} through WireGuard link {}", address.network().to_string(),
                      spec.name.str()),
          EEXIST};
}

bool has_whole_length(const Cidr& address) {
  return address.prefix_length() == address.address().bytes().size() * 8;
}

std::vector<NetlinkStep> address_steps(const WireguardLinkSpec& spec, int index,
                                       const std::vector<Cidr>& present) {
  const std::string& name = spec.name.str();
  std::vector<NetlinkStep> steps;
  for (const Cidr& each : spec.addresses)
    if (std::ranges::find(present, each) == present.end())
      steps.push_back({add_address(index, each),
                       fmt::format("add address {} to WireGuard link {}", each.to_string(), name),
                       EEXIST});
  for (const Cidr& each : present)
    if (!is_link_local(each) && std::ranges::find(spec.addresses, each) == spec.addresses.end())
      steps.push_back(
          {delete_address(index, each),
           fmt::format("take address {} from WireGuard link {}", each.to_string(), name),
           EADDRNOTAVAIL});
  for (const Cidr& each : spec.addresses)
    if (!has_whole_length(each)) steps.push_back(connected_route(spec, index, each));
  return steps;
}

}  // namespace

Result<std::unique_ptr<WireguardLinks>> open_netlink_wireguard_links() {
  TRY(NetlinkSocket route, NetlinkSocket::open(NETLINK_ROUTE));
  TRY(NetlinkSocket generic, NetlinkSocket::open(NETLINK_GENERIC));
  TRY(UniqueFd netns, current_netns());
  return std::make_unique<NetlinkWireguardLinks>(std::move(route), std::move(generic),
                                                 std::move(netns));
}

Result<int> NetlinkWireguardLinks::index_of(const IfName& device) {
  TRY(const LinkDetails present, devices_.expect(device));
  return present.link.index;
}

// ---- the kernel's support

Status NetlinkWireguardLinks::probe() {
  const std::lock_guard lock(support_mutex_);
  if (support_) return *support_;
  Status answer = ask_for_support();
  if (answer || answer.error().code == Code::kUnsupported) support_ = answer;
  return answer;
}

Status NetlinkWireguardLinks::ask_for_support() {
  int made = 0;
  const Status asked = route_.request(create_impossible_wireguard(), "ask the kernel for WireGuard",
                                      [&](const MessageView& message) {
                                        if (const auto link = parse_link(message.payload))
                                          made = link->link.index;
                                      });
  // An older kernel with the module built separately does not check the MTU, and has made the
  // device.
  if (asked && made != 0) return route_.remove(made, "delete a device that was made to ask");
  if (asked || asked.error().sys_errno == EINVAL) return {};
  if (asked.error().sys_errno == EOPNOTSUPP)
    return fail(Error{Code::kUnsupported, EOPNOTSUPP, std::string(kUnsupportedText)});
  return asked;
}

// The number is looked up each time, because it may belong to another family after the module was
// loaded again.
Result<std::uint16_t> NetlinkWireguardLinks::family() {
  std::optional<std::uint16_t> number;
  TRY_STATUS(generic_.request(look_up_family(WG_GENL_NAME), "find WireGuard's netlink family",
                              [&](const MessageView& message) {
                                if (message.type == GENL_ID_CTRL)
                                  number = parse_family(message.payload, WG_GENL_NAME);
                              }));
  if (!number) return fail(Code::kIo, "find WireGuard's netlink family: the answer is malformed");
  return *number;
}

// ---- the device

Result<WireguardLink> NetlinkWireguardLinks::ensure(const WireguardLinkSpec& spec) {
  TRY_STATUS(validate(spec));
  const std::string what = fmt::format("make WireGuard link {}", spec.name.str());
  const auto make = [&]() -> Status {
    TRY_STATUS(probe());
    TRY_STATUS(route_.request(create_wireguard(spec), what));
    fault_point("wireguard.ensure.made");
    return {};
  };
  TRY(const Device device,
      devices_.ensure(
          spec.name,
          {.making = what, .fits = {}, .make = make, .mend = [&](const LinkDetails& present) {
             return mend(spec, present.link);
           }}));
  return WireguardLink{.index = device.link.link.index, .fresh = device.made};
}

// Addresses come last, because their routes need a device that is up.
Status NetlinkWireguardLinks::mend(const WireguardLinkSpec& spec, const Link& present) {
  TRY_STATUS(mend_device(spec, present.index));
  TRY_STATUS(mend_link(spec, present));
  Status done = mend_addresses(spec, present.index);
  // EACCES means that IPv6 is switched off on this host. It is switched on for this device only,
  // which carries nothing but tunnels.
  if (done || done.error().sys_errno != EACCES) return done;
  TRY_STATUS(in_netns(netns_.get(), [&] {
    return write_sysctl(fmt::format("net/ipv6/conf/{}/disable_ipv6", spec.name.str()), "0");
  }));
  return mend_addresses(spec, present.index);
}

Status NetlinkWireguardLinks::mend_device(const WireguardLinkSpec& spec, int index) {
  TRY(const DeviceDump present, read(spec.name, index));
  const DeviceChange change = device_difference(spec, present);
  if (change.empty()) return {};
  TRY(const std::uint16_t number, family());
  return explain_taken_port(
      spec.port, generic_.request(set_device(number, index, change),
                                  fmt::format("set up the keys and port of {}", spec.name.str())));
}

Status NetlinkWireguardLinks::mend_link(const WireguardLinkSpec& spec, const Link& present) {
  NetlinkMessage change =
      change_link(present.index, present.up ? LinkState::kKeep : LinkState::kUp);
  const bool differs = put_difference(change, {.mtu = spec.mtu, .alias = spec.alias}, present);
  if (present.up && !differs) return {};
  // The UDP sockets are opened when the device goes up (drivers/net/wireguard, wg_open).
  return explain_taken_port(
      spec.port,
      route_.request(std::move(change), fmt::format("set up WireGuard link {}", spec.name.str())));
}

Status NetlinkWireguardLinks::mend_addresses(const WireguardLinkSpec& spec, int index) {
  TRY(const std::vector<Cidr> present, route_.addresses_of(index));
  return route_.batch(address_steps(spec, index, present));
}

Status NetlinkWireguardLinks::remove(const IfName& name) { return devices_.remove(name); }

// ---- peers

Result<DeviceDump> NetlinkWireguardLinks::read(const IfName& device, int index) {
  const std::string what = fmt::format("read WireGuard link {}", device.str());
  TRY(const std::uint16_t number, family());
  DeviceDump dump;
  bool complete = true;
  TRY_STATUS(generic_.dump(
      get_device(number, index), what,
      [&] {
        dump = {};
        complete = true;
      },
      [&](const MessageView& message) {
        if (message.type == number) complete = add_device_part(message.payload, dump) && complete;
      }));
  if (!complete) return fail(Code::kIo, "{}: the kernel's answer is malformed", what);
  return dump;
}

Result<WireguardLinkState> NetlinkWireguardLinks::dump(const IfName& device) {
  TRY(const int index, index_of(device));
  TRY(DeviceDump dump, read(device, index));
  for (WireguardPeerState& each : dump.state.peers) std::ranges::sort(each.peer.allowed_ips);
  std::ranges::sort(dump.state.peers, {},
                    [](const WireguardPeerState& each) { return each.peer.key; });
  return std::move(dump.state);
}

Result<WireguardPeerChanges> NetlinkWireguardLinks::set_peers(
    const IfName& device, std::span<const WireguardPeer> wanted) {
  TRY(const int index, index_of(device));
  TRY(const DeviceDump held, read(device, index));
  TRY(const PeerPlan plan, plan_peers(held.state, wanted));
  TRY(const std::uint16_t number, family());
  for (NetlinkMessage& message : kernel::set_peers(number, index, plan.steps)) {
    // Each message waits for its answer: the kernel stops at the first peer that fails.
    TRY_STATUS(generic_.request(std::move(message),
                                fmt::format("change peers of WireGuard link {}", device.str())));
  }
  return plan.changes;
}

}  // namespace fairlead::kernel
