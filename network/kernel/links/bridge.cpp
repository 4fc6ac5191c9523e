#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <cerrno>

#include "network/kernel/host/sysctl.h"
#include "network/kernel/links/device.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

namespace {

constexpr DeviceKind kBridge{
    .kind = "bridge", .noun = "bridge", .other = "no bridge", .advice = "; choose another name"};

// One message that makes the present bridge match the spec; std::nullopt when it matches.
std::optional<NetlinkMessage> difference(const BridgeSpec& spec, const LinkDetails& present) {
  const Link& link = present.link;
  NetlinkMessage change = change_link(link.index, link.up ? LinkState::kKeep : LinkState::kUp);
  bool differs =
      put_difference(change, {.mtu = spec.mtu, .alias = spec.alias, .mac = spec.mac}, link);
  const bool vlan_differs =
      spec.vlan && (!present.vlan_filtering.value_or(false) || present.default_vlan != spec.vlan);
  if (present.multicast_snooping.value_or(false) || present.link_local_learning.value_or(false) ||
      vlan_differs) {
    differs = true;
    const auto info = change.nest(IFLA_LINKINFO);
    change.put_text(IFLA_INFO_KIND, "bridge");
    const auto data = change.nest(IFLA_INFO_DATA);
    put_bridge_settings(change);
    if (vlan_differs) put_bridge_vlan(change, *spec.vlan);
  }
  if (!differs && link.up) return std::nullopt;
  return change;
}

std::vector<NetlinkStep> address_steps(const BridgeSpec& spec, int index) {
  std::vector<NetlinkStep> steps;
  for (const Cidr& address : spec.addresses)
    steps.push_back({add_address(index, address),
                     fmt::format("add address {} to {}", address.to_string(), spec.name.str()),
                     EEXIST});
  return steps;
}

// The changes of somebody else's bridge that let it carry Fairlead's containers. Its other settings
// stay as they are.
std::vector<NetlinkStep> joining_steps(const BridgeSpec& spec, const LinkDetails& present) {
  std::vector<NetlinkStep> steps;
  if (!present.link.up)
    steps.push_back({change_link(present.link.index, LinkState::kUp),
                     fmt::format("bring bridge {} up", spec.name.str())});
  for (NetlinkStep& step : address_steps(spec, present.link.index))
    steps.push_back(std::move(step));
  return steps;
}

}  // namespace

Result<Link> NetlinkLinks::ensure_bridge(const BridgeSpec& spec, bool foreign) {
  const std::string& name = spec.name.str();
  auto present = socket_.get(get_link(spec.name), fmt::format("find bridge {}", name));
  if (!present && (present.error().code != Code::kNotFound || foreign))
    return fail(present.error());
  if (!present) present = make_bridge(spec);
  if (!present) return fail(present.error());
  TRY_STATUS(Devices(socket_, kBridge).check(spec.name, *present));
  if (foreign) {
    TRY_STATUS(socket_.batch(joining_steps(spec, *present)));
  } else {
    TRY_STATUS(mend_bridge(spec, *present));
  }
  socket_.await_ipv6_addresses(spec.addresses);
  return find(present->link.index);
}

Status NetlinkLinks::set_route_localnet(int index, bool on) {
  NetlinkMessage change = change_link(index);
  put_family_settings(change, {.route_localnet = on});
  return socket_.request(std::move(change), fmt::format("switch route_localnet {} on interface {}",
                                                        on ? "on" : "off", index));
}

Status NetlinkLinks::set_mac(int index, const MacAddress& mac) {
  NetlinkMessage change = change_link(index);
  change.put(IFLA_ADDRESS, mac.bytes());
  return socket_.request(std::move(change),
                         fmt::format("give interface {} the address {}", index, mac.to_string()));
}

Result<LinkDetails> NetlinkLinks::make_bridge(const BridgeSpec& spec) {
  const std::string what = fmt::format("make bridge {}", spec.name.str());
  const Status made = socket_.request(create_bridge(spec), what);
  if (!made && made.error().sys_errno == EOPNOTSUPP && spec.vlan)
    return fail(Code::kUnsupported,
                "{}: this kernel has no bridge VLAN filtering: CONFIG_BRIDGE_VLAN_FILTERING", what);
  // EEXIST: another process was faster.
  if (!made && made.error().sys_errno != EEXIST) return fail(made.error());
  return socket_.get(get_link(spec.name), what);
}

Status NetlinkLinks::mend_bridge(const BridgeSpec& spec, const LinkDetails& present) {
  const std::string& name = spec.name.str();
  std::vector<NetlinkStep> steps;
  // Before the bridge goes up.
  if (!spec.ipv6 && makes_link_local(present))
    steps.push_back(
        no_link_local(present.link.index, fmt::format("set up the families of bridge {}", name)));
  if (auto change = difference(spec, present))
    steps.push_back({std::move(*change), fmt::format("set up bridge {}", name)});
  for (NetlinkStep& step : address_steps(spec, present.link.index))
    steps.push_back(std::move(step));
  // Set before the bridge goes up, so that no container can set the host's routes by router
  // advertisement.
  if (present.accept_ra.value_or(0) != 0) {
    TRY_STATUS(in_host(
        [&] { return write_sysctl(fmt::format("net/ipv6/conf/{}/accept_ra", name), "0"); }));
  }
  return socket_.batch(std::move(steps));
}

}  // namespace fairlead::kernel
