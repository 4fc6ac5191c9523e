#include "network/kernel/tunnels/vxlan.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "base/fault.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/tunnels/vxlan_messages.h"
#include "network/kernel/tunnels/vxlan_netlink.h"

namespace fairlead::kernel {

namespace {

// Room for the failures of one batch of entries, which the kernel sends without waiting.
constexpr int kReceiveBuffer = 1 << 20;
constexpr std::uint32_t kMaxVni = (1U << 24) - 1;

Status validate(const VxlanSpec& spec) {
  if (spec.vni == 0 || spec.vni > kMaxVni)
    return fail(Code::kInvalid, "make tunnel {}: {} is no VNI; use 1 to {}", spec.name.str(),
                spec.vni, kMaxVni);
  if (spec.local.is_any() || spec.local.is_multicast())
    return fail(Code::kInvalid, "make tunnel {}: {} is not an address of this host",
                spec.name.str(), spec.local.to_string());
  return {};
}

// Compares the settings that can only be chosen when the device is made. The local address could be
// changed later, but packets would keep the old source address as long as the route of their entry
// is cached (struct vxlan_rdst, dst_cache).
bool is_same_tunnel(const VxlanSpec& spec, const VxlanDetails& present) {
  return present.vni == spec.vni && present.port == spec.port && present.local == spec.local &&
         present.proxy && !present.bound && !present.floods && !present.collects;
}

bool has_settings(const VxlanDetails& present) {
  return !present.learning && present.ttl == kVxlanTtl && present.tos == kVxlanTosInherit;
}

NetlinkMessage change_settings(int index) {
  NetlinkMessage change = change_link(index);
  const auto info = change.nest(IFLA_LINKINFO);
  change.put_text(IFLA_INFO_KIND, "vxlan");
  const auto data = change.nest(IFLA_INFO_DATA);
  put_vxlan_settings(change);
  return change;
}

std::vector<NetlinkStep> mending_steps(const VxlanSpec& spec, const LinkDetails& present) {
  const std::string& name = spec.name.str();
  const int index = present.link.index;
  std::vector<NetlinkStep> steps;
  // Set before the device goes up, because a port of a bridge has no addresses.
  if (makes_link_local(present))
    steps.push_back(no_link_local(index, fmt::format("set up the families of tunnel {}", name)));
  NetlinkMessage change = change_link(index);
  if (put_difference(change,
                     {.mtu = spec.mtu, .alias = spec.alias, .mac = spec.mac, .master = spec.master},
                     present.link))
    steps.push_back({std::move(change), fmt::format("set up tunnel {}", name)});
  if (!present.vxlan || !has_settings(*present.vxlan))
    steps.push_back({change_settings(index), fmt::format("set up the tunnel of {}", name)});
  const bool moves = present.link.master != spec.master;
  if (moves || present.port_flags != tunnel_port_flags(spec)) {
    NetlinkMessage flags = change_link(index);
    put_port_flags(flags, tunnel_port_flags(spec));
    steps.push_back({std::move(flags), fmt::format("set the port flags of tunnel {}", name)});
  }
  if (!present.link.up)
    steps.push_back({change_link(index, LinkState::kUp), fmt::format("switch tunnel {} on", name)});
  return steps;
}

}  // namespace

Result<std::unique_ptr<Tunnels>> open_netlink_tunnels() {
  TRY(NetlinkSocket devices, NetlinkSocket::open(NETLINK_ROUTE));
  TRY(NetlinkSocket entries, NetlinkSocket::open(NETLINK_ROUTE));
  entries.set_receive_buffer(kReceiveBuffer);
  return std::make_unique<NetlinkTunnels>(std::move(devices), std::move(entries));
}

Result<Tunnel> NetlinkTunnels::ensure(const VxlanSpec& spec) {
  TRY_STATUS(validate(spec));
  const std::string what = fmt::format("make tunnel {} with VNI {}", spec.name.str(), spec.vni);
  TRY(const Device device,
      devices_.ensure(spec.name,
                      {.making = what,
                       .fits =
                           [&](const LinkDetails& present) {
                             return present.vxlan && is_same_tunnel(spec, *present.vxlan);
                           },
                       .make = [&] { return make(spec, what); },
                       .mend = [&](const LinkDetails& present) { return mend(spec, present); }}));
  // The kernel drops the entries of a device that goes down or gets another MAC address.
  const Link& before = device.link.link;
  return Tunnel{.index = before.index,
                .fresh = device.made || !before.up || before.mac != spec.mac};
}

Status NetlinkTunnels::make(const VxlanSpec& spec, std::string_view what) {
  const Status done = socket_.request(create_vxlan(spec), what);
  if (!done && done.error().sys_errno == EEXIST) return fail(explain_taken_vni(spec, done.error()));
  if (!done && done.error().sys_errno == EOPNOTSUPP) {
    Error error = done.error();
    error.text += ": this kernel has no VXLAN; load the module vxlan";
    return fail(std::move(error));
  }
  if (done) fault_point("vxlan.ensure.made");
  return done;
}

// The kernel compares the VNI with those of all devices that were made in this namespace, even when
// they have been moved to another one (drivers/net/vxlan, vxlan_vni_in_use).
Error NetlinkTunnels::explain_taken_vni(const VxlanSpec& spec, Error error) {
  std::string holder;
  const auto links = socket_.list();
  for (const LinkDetails& each : links ? *links : FoundLinks())
    if (each.vxlan && each.vxlan->vni == spec.vni && each.vxlan->port == spec.port)
      holder = each.link.name;
  error.code = Code::kExists;
  if (holder.empty())
    error.text += fmt::format(
        ": a device that was made here and is in another network namespace now has VNI {} on port "
        "{}; delete it or its namespace",
        spec.vni, spec.port);
  else
    error.text += fmt::format(": interface {} has VNI {} on port {}; delete it or choose another",
                              holder, spec.vni, spec.port);
  return error;
}

Status NetlinkTunnels::mend(const VxlanSpec& spec, const LinkDetails& present) {
  // The UDP socket is opened when the device goes up (vxlan_sock_add).
  return explain_taken_port(spec.port, socket_.batch(mending_steps(spec, present)));
}

Status NetlinkTunnels::remove(const IfName& name) { return devices_.remove(name); }

Result<unsigned> NetlinkTunnels::underlay_mtu(const IpAddress& local) {
  TRY(const std::vector<AddressDetails> all, socket_.addresses(local.family()));
  const auto own = std::ranges::find(
      all, local, [](const AddressDetails& each) { return each.address.address(); });
  if (own == all.end())
    return fail(Code::kNotFound, "no interface of this host has the address {} of the underlay",
                local.to_string());
  TRY(const LinkDetails found,
      socket_.get(get_link(own->ifindex),
                  fmt::format("find the interface of {}", local.to_string())));
  return found.link.mtu;
}

Status NetlinkTunnels::pin(const IfName& port, const MacAddress& mac) {
  const std::string what = fmt::format("bind {} to bridge port {}", mac.to_string(), port.str());
  TRY(const LinkDetails present, socket_.get(get_link(port), what));
  return socket_.request(set_bridge_entry(present.link.index, mac), what);
}

}  // namespace fairlead::kernel
