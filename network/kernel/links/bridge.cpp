#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

#include "network/kernel/host/sysctl.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

namespace {

// One message that makes the present bridge match the spec; std::nullopt when it matches.
std::optional<NetlinkMessage> difference(const BridgeSpec& spec, const LinkDetails& present) {
  const Link& link = present.link;
  NetlinkMessage change = change_link(link.index, link.up ? LinkState::kKeep : LinkState::kUp);
  bool differs = !link.up;
  const auto when = [&differs](bool condition) {
    differs = differs || condition;
    return condition;
  };
  if (when(link.mac != spec.mac)) change.put(IFLA_ADDRESS, spec.mac.bytes());
  if (when(link.mtu != spec.mtu)) change.put_u32(IFLA_MTU, spec.mtu);
  if (when(link.alias != spec.alias)) change.put_text(IFLA_IFALIAS, spec.alias);
  if (when(present.multicast_snooping.value_or(false))) {
    const auto info = change.nest(IFLA_LINKINFO);
    change.put_text(IFLA_INFO_KIND, "bridge");
    const auto data = change.nest(IFLA_INFO_DATA);
    change.put_u8(IFLA_BR_MCAST_SNOOPING, 0);
  }
  if (!differs) return std::nullopt;
  return change;
}

// The setting that keeps the bridge from getting a link-local address. It must be made before the
// bridge goes up.
std::optional<NetlinkMessage> family_difference(const BridgeSpec& spec,
                                                const LinkDetails& present) {
  const bool quiet =
      spec.ipv6 || !present.addr_gen_mode || *present.addr_gen_mode == IN6_ADDR_GEN_MODE_NONE;
  if (quiet) return std::nullopt;
  NetlinkMessage change = change_link(present.link.index);
  put_family_settings(change, {.no_link_local = true});
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
  auto present = get(get_link(spec.name), fmt::format("find bridge {}", name));
  if (!present && (present.error().code != Code::kNotFound || foreign))
    return fail(present.error());
  if (!present) present = make_bridge(spec);
  if (!present) return fail(present.error());
  if (present->link.kind != "bridge")
    return fail(
        Code::kExists,
        "make bridge {}: there is an interface of that name which is no bridge but {}; choose "
        "another name",
        name, present->link.kind.empty() ? "a device" : present->link.kind);
  if (foreign) {
    TRY(const FoundLinks done, batch(joining_steps(spec, *present)));
  } else {
    TRY_STATUS(mend_bridge(spec, *present));
  }
  if (std::ranges::any_of(spec.addresses, [](const Cidr& address) { return !address.is_v4(); })) {
    const std::lock_guard lock(mutex_);
    await_ipv6_addresses(socket_, spec.addresses);
  }
  return find(present->link.index);
}

Status NetlinkLinks::set_route_localnet(int index, bool on) {
  NetlinkMessage change = change_link(index);
  put_family_settings(change, {.route_localnet = on});
  return request(std::move(change),
                 fmt::format("switch route_localnet {} on interface {}", on ? "on" : "off", index));
}

Status NetlinkLinks::set_mac(int index, const MacAddress& mac) {
  NetlinkMessage change = change_link(index);
  change.put(IFLA_ADDRESS, mac.bytes());
  return request(std::move(change),
                 fmt::format("give interface {} the address {}", index, mac.to_string()));
}

Result<LinkDetails> NetlinkLinks::make_bridge(const BridgeSpec& spec) {
  const std::string what = fmt::format("make bridge {}", spec.name.str());
  const Status made = request(create_bridge(spec), what);
  // EEXIST: another process was faster.
  if (!made && made.error().sys_errno != EEXIST) return fail(made.error());
  return get(get_link(spec.name), what);
}

Status NetlinkLinks::mend_bridge(const BridgeSpec& spec, const LinkDetails& present) {
  const std::string& name = spec.name.str();
  std::vector<NetlinkStep> steps;
  if (auto change = family_difference(spec, present))
    steps.push_back(
        {std::move(*change), fmt::format("set up the families of bridge {}", name), EAFNOSUPPORT});
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
  TRY(const FoundLinks done, batch(std::move(steps)));
  return {};
}

}  // namespace fairlead::kernel
