#include "network/kernel/events/link_events.h"

#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include "network/kernel/host/own_names.h"
#include "network/kernel/links/answer_routes.h"
#include "network/kernel/links/host_routing.h"

namespace fairlead::kernel {

namespace {

using Kind = KernelEvent::Kind;

constexpr int kAcceptAlthoughForwarding = 2;  // accept_ra, ip-sysctl.rst
// A repair of accept_ra is no event either: it may have been undone again before the next look. So
// it is told several times before it is taken as it is.
constexpr int kMostTold = 10;

std::string lost_setting(const LinkDetails& before, const LinkDetails& now) {
  if (before.link.route_localnet && !now.link.route_localnet) return "has route_localnet=0";
  if (before.accept_ra == kAcceptAlthoughForwarding && now.accept_ra != before.accept_ra)
    return fmt::format("has accept_ra={}", now.accept_ra.value_or(0));
  return {};
}

// A new link with the kernel's default, which hears no router once the host forwards.
std::string deaf_as_router(const LinkDetails& now) {
  if (now.accept_ra != 1 || !may_hear_routers(now.link)) return {};
  return "is new, with accept_ra=1";
}

bool is_link(const MessageView& message) {
  return message.type == RTM_NEWLINK || message.type == RTM_DELLINK;
}

// The host's own switch is told first; those of the interfaces follow it.
std::optional<KernelEvent> forwarding_off(const MessageView& message) {
  const Attributes attributes(behind(message.payload, sizeof(netconfmsg)));
  const auto index = attributes.find(NETCONFA_IFINDEX), on = attributes.find(NETCONFA_FORWARDING);
  if (!index || !on || index->i32() != NETCONFA_IFINDEX_ALL || on->u32() != 0) return std::nullopt;
  return KernelEvent{.kind = Kind::kForwardingOff};
}

// Routes of single subnets and neighbours come and go with each container and each VPN's peer.
std::optional<KernelEvent> routes_changed(const MessageView& message) {
  if (message.type == RTM_NEWROUTE || message.type == RTM_DELROUTE) {
    const auto route = parse_route(message.payload);
    if (!route || route->type != RTN_UNICAST || !leads_everywhere(route->route.destination) ||
        route->route.table.value_or(0) >= kFirstAnswerTable)
      return std::nullopt;
  }
  return KernelEvent{.kind = Kind::kRoutesChanged};
}

}  // namespace

std::string LinkEvents::lost(const Known& before, const Link& now) {
  const Link& link = before.now.link;
  if (link.up && !now.up) return "went down";
  if (link.master != 0 && now.master != link.master) return "left its bridge";
  if (now.kind == "veth") return {};
  if (link.mtu != now.mtu && now.mtu != before.mtu) return fmt::format("has an MTU of {}", now.mtu);
  if (link.mac != now.mac && now.mac != before.mac)
    return fmt::format("has the address {}", now.mac.to_string());
  return {};
}

void LinkEvents::know(const MessageView& message) {
  if (message.type != RTM_NEWLINK) return;
  const auto details = parse_link(message.payload);
  if (!details || details->bridge_port_event) return;
  const Link& link = details->link;
  links_.insert_or_assign(link.index, Known{*details, link.mtu, link.mac});
}

// A qdisc takes its filters with it. Those of links without route_localnet concern nobody.
std::optional<KernelEvent> LinkEvents::lost_filter(const MessageView& message) const {
  const auto header = read_struct<tcmsg>(message.payload);
  const auto link = header ? links_.find(header->tcm_ifindex) : links_.end();
  if (link == links_.end() || !link->second.now.link.route_localnet) return std::nullopt;
  return KernelEvent{.kind = Kind::kSettingChanged,
                     .name = link->second.now.link.name,
                     .index = link->first,
                     .what = "lost a filter"};
}

std::optional<KernelEvent> LinkEvents::take(const MessageView& message) {
  if (message.type == RTM_DELADDR) {
    auto lost = lost_address(message);
    return lost ? lost : routes_changed(message);
  }
  if (message.type == RTM_NEWADDR || message.type == RTM_NEWRULE || message.type == RTM_DELRULE ||
      message.type == RTM_NEWROUTE || message.type == RTM_DELROUTE)
    return routes_changed(message);
  if (message.type == RTM_NEWNETCONF) return forwarding_off(message);
  if (message.type == RTM_DELTFILTER || message.type == RTM_DELQDISC) return lost_filter(message);
  if (!is_link(message)) return std::nullopt;
  const auto details = parse_link(message.payload);
  if (!details || details->bridge_port_event) return std::nullopt;
  return message.type == RTM_DELLINK ? gone(details->link) : changed(*details);
}

std::optional<KernelEvent> LinkEvents::changed(const LinkDetails& now) {
  const auto [at, fresh] =
      links_.try_emplace(now.link.index, Known{now, now.link.mtu, now.link.mac});
  Known& known = at->second;
  const std::string what = lost(known, now.link);
  const LinkDetails before = std::exchange(known.now, now);
  KernelEvent event{.kind = Kind::kLinkChanged,
                    .name = now.link.name,
                    .index = now.link.index,
                    .bridge = bridge_of(before.link),
                    .what = what,
                    .of_container = now.link.kind == "veth"};
  const bool appeared = fresh && now.link.kind == "bridge";
  if (!event.bridge.empty() && (appeared || !event.what.empty())) return event;
  event.kind = Kind::kSettingChanged;
  event.what = fresh ? deaf_as_router(now) : lost_setting(before, now);
  if (now.accept_ra == before.accept_ra)
    known.told = 0;
  else if (before.accept_ra == kAcceptAlthoughForwarding && ++known.told < kMostTold)
    known.now.accept_ra = before.accept_ra;
  return event.what.empty() ? std::nullopt : std::optional(event);
}

std::optional<KernelEvent> LinkEvents::gone(const Link& link) {
  const auto known = links_.find(link.index);
  KernelEvent event{.kind = Kind::kLinkGone,
                    .name = link.name,
                    .index = link.index,
                    .bridge = bridge_of(known == links_.end() ? link : known->second.now.link),
                    .what = "is gone",
                    .of_container = link.kind == "veth"};
  if (known != links_.end()) links_.erase(known);
  return event;
}

std::optional<KernelEvent> LinkEvents::lost_address(const MessageView& message) const {
  const auto address = parse_address(message.payload);
  const auto link = address ? links_.find(address->ifindex) : links_.end();
  if (link == links_.end() || link->second.now.link.kind != "bridge") return std::nullopt;
  return KernelEvent{
      .kind = Kind::kLinkChanged,
      .name = link->second.now.link.name,
      .index = link->first,
      .bridge = link->second.now.link.name,
      .what = fmt::format("lost the address {}", address->address.address().to_string())};
}

std::string LinkEvents::bridge_of(const Link& link) const {
  if (link.kind == "bridge") return link.name;
  const auto master = links_.find(link.master);
  return master == links_.end() || master->second.now.link.kind != "bridge"
             ? std::string()
             : master->second.now.link.name;
}

std::vector<int> LinkEvents::quiet() const {
  std::vector<int> indexes;
  for (const auto& [index, known] : links_) {
    const Link& link = known.now.link;
    // Links of containers have no link-local address on the host's side, and hear no router.
    const bool routed = link.kind == "veth" && is_routed_link(link.name);
    const bool hears_routers = link.master == 0 && link.kind != "bridge" && !routed &&
                               known.now.addr_gen_mode != IN6_ADDR_GEN_MODE_NONE;
    if (hears_routers || link.route_localnet) indexes.push_back(index);
  }
  return indexes;
}

}  // namespace fairlead::kernel
