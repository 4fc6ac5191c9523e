#include "network/kernel/tunnels/vxlan.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

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

// One message that makes the link's own settings match the spec; std::nullopt when they match.
std::optional<NetlinkMessage> link_difference(const VxlanSpec& spec, const Link& link) {
  NetlinkMessage change = change_link(link.index);
  bool differs = false;
  const auto when = [&differs](bool condition) {
    differs = differs || condition;
    return condition;
  };
  if (when(link.mac != spec.mac)) change.put(IFLA_ADDRESS, spec.mac.bytes());
  if (when(link.mtu != spec.mtu)) change.put_u32(IFLA_MTU, spec.mtu);
  if (when(link.alias != spec.alias)) change.put_text(IFLA_IFALIAS, spec.alias);
  if (when(link.master != spec.master))
    change.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(spec.master));
  if (!differs) return std::nullopt;
  return change;
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
  if (present.addr_gen_mode && *present.addr_gen_mode != IN6_ADDR_GEN_MODE_NONE) {
    NetlinkMessage quiet = change_link(index);
    put_family_settings(quiet, {.no_link_local = true});
    steps.push_back(
        {std::move(quiet), fmt::format("set up the families of tunnel {}", name), EAFNOSUPPORT});
  }
  if (auto change = link_difference(spec, present.link))
    steps.push_back({std::move(*change), fmt::format("set up tunnel {}", name)});
  if (!has_settings(*present.vxlan))
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

Status NetlinkTunnels::request(NetlinkMessage message, std::string_view what,
                               const NetlinkSocket::OnMessage& on_message) {
  const std::lock_guard lock(devices_mutex_);
  return devices_.request(std::move(message), what, on_message);
}

Result<std::optional<LinkDetails>> NetlinkTunnels::find(const IfName& name, std::string_view what) {
  std::optional<LinkDetails> found;
  const Status asked = request(get_link(name), what, [&](const MessageView& message) {
    if (message.type == RTM_NEWLINK) found = parse_link(message.payload);
  });
  if (!asked && asked.error().code != Code::kNotFound) return fail(asked.error());
  return found;
}

Result<Tunnel> NetlinkTunnels::ensure(const VxlanSpec& spec) {
  TRY_STATUS(validate(spec));
  const std::string& name = spec.name.str();
  TRY(std::optional<LinkDetails> present, find(spec.name, fmt::format("find tunnel {}", name)));
  if (present && !present->vxlan)
    return fail(Code::kExists,
                "make tunnel {}: there is an interface of that name which is no tunnel but {}",
                name, present->link.kind.empty() ? "a device" : present->link.kind);
  if (present && !is_same_tunnel(spec, *present->vxlan)) {
    TRY_STATUS(remove(spec.name));
    present.reset();
  }
  const bool made = !present;
  if (made) {
    TRY(present, make(spec));
    fault_point("vxlan.ensure.made");
  }
  const Result<bool> dropped = mend(spec, *present);
  if (!dropped) {
    if (made) (void)remove(spec.name);
    return fail(dropped.error());
  }
  return Tunnel{.index = present->link.index, .fresh = made || *dropped};
}

Result<LinkDetails> NetlinkTunnels::make(const VxlanSpec& spec) {
  const std::string what = fmt::format("make tunnel {} with VNI {}", spec.name.str(), spec.vni);
  const Status done = request(create_vxlan(spec), what);
  if (!done && done.error().sys_errno == EEXIST) return fail(explain_taken_vni(spec, done.error()));
  if (!done && done.error().sys_errno == EOPNOTSUPP) {
    Error error = done.error();
    error.text += ": this kernel has no VXLAN; load the module vxlan";
    return fail(std::move(error));
  }
  if (!done) return fail(done.error());
  TRY(const std::optional<LinkDetails> made, find(spec.name, what));
  if (!made || !made->vxlan) return fail(Code::kConflict, "{}: somebody took it away", what);
  return *made;
}

// The kernel compares the VNI with those of all devices that were made in this namespace, even when
// they have been moved to another one (drivers/net/vxlan, vxlan_vni_in_use).
Error NetlinkTunnels::explain_taken_vni(const VxlanSpec& spec, Error error) {
  std::string holder;
  const std::lock_guard lock(devices_mutex_);
  const Status listed = devices_.dump(
      dump_links(), "list interfaces", [&] { holder.clear(); },
      [&](const MessageView& message) {
        const auto link = parse_link(message.payload);
        if (link && link->vxlan && link->vxlan->vni == spec.vni && link->vxlan->port == spec.port)
          holder = link->link.name;
      });
  error.code = Code::kExists;
  if (!listed || holder.empty())
    error.text += fmt::format(
        ": a device that was made here and is in another network namespace now has VNI {} on port "
        "{}; delete it or its namespace",
        spec.vni, spec.port);
  else
    error.text += fmt::format(": interface {} has VNI {} on port {}; delete it or choose another",
                              holder, spec.vni, spec.port);
  return error;
}

Result<bool> NetlinkTunnels::mend(const VxlanSpec& spec, const LinkDetails& present) {
  Status done;
  {
    const std::lock_guard lock(devices_mutex_);
    done = devices_.batch(mending_steps(spec, present));
  }
  // The UDP socket is opened when the device goes up (vxlan_sock_add).
  if (!done && done.error().sys_errno == EADDRINUSE) {
    Error error = done.error();
    error.text += fmt::format(": another program has UDP port {}", spec.port);
    return fail(std::move(error));
  }
  if (!done) return fail(done.error());
  return !present.link.up || present.link.mac != spec.mac;
}

Status NetlinkTunnels::remove(const IfName& name) {
  const std::string what = fmt::format("delete tunnel {}", name.str());
  TRY(const std::optional<LinkDetails> present, find(name, what));
  if (!present) return {};
  if (!present->vxlan)
    return fail(Code::kExists, "{}: the interface of that name is no tunnel", what);
  Status gone = request(delete_link(present->link.index), what);
  if (!gone && gone.error().sys_errno == ENODEV) return {};
  return gone;
}

Result<std::optional<int>> NetlinkTunnels::interface_of(const IpAddress& address) {
  std::optional<int> found;
  const std::lock_guard lock(devices_mutex_);
  TRY_STATUS(devices_.dump(
      dump_addresses(address.family(), 0), "list addresses", [&] { found.reset(); },
      [&](const MessageView& message) {
        const auto each = parse_address(message.payload);
        if (each && each->address.address() == address) found = each->ifindex;
      }));
  return found;
}

Result<unsigned> NetlinkTunnels::underlay_mtu(const IpAddress& local) {
  TRY(const std::optional<int> index, interface_of(local));
  if (!index)
    return fail(Code::kNotFound, "no interface of this host has the address {} of the underlay",
                local.to_string());
  std::optional<LinkDetails> found;
  TRY_STATUS(request(get_link(*index), fmt::format("find the interface of {}", local.to_string()),
                     [&](const MessageView& message) {
                       if (message.type == RTM_NEWLINK) found = parse_link(message.payload);
                     }));
  if (!found) return fail(Code::kIo, "find interface {}: the kernel's answer is no link", *index);
  return found->link.mtu;
}

Status NetlinkTunnels::pin(const IfName& port, const MacAddress& mac) {
  const std::string what = fmt::format("bind {} to bridge port {}", mac.to_string(), port.str());
  TRY(const std::optional<LinkDetails> present, find(port, what));
  if (!present) return fail_errno(ENODEV, what);
  return request(set_bridge_entry(present->link.index, mac), what);
}

}  // namespace fairlead::kernel
