#include "network/kernel/links/host_routing.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>
#include <string_view>

#include "network/kernel/host/netns.h"
#include "network/kernel/host/sysctl.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_host_routing.h"

namespace fairlead::kernel {

namespace {

// Link-local and multicast prefixes are on every link, and Fairlead never chooses a subnet there.
bool counts_as_occupied(const Cidr& network) {
  if (leads_everywhere(network) || network.address().is_multicast() ||
      network.address().is_loopback())
    return false;
  static const Cidr kLinkLocal6 = *Cidr::parse("fe80::/10");
  return !kLinkLocal6.contains(network);
}

std::string forwarding_setting(Family family) {
  return family == Family::kV4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding";
}

const RouteDetails* best_default(const std::vector<RouteDetails>& routes) {
  const RouteDetails* best = nullptr;
  for (const RouteDetails& each : routes) {
    if (each.route.destination.prefix_length() != 0 || each.type != RTN_UNICAST ||
        each.ifindex == 0)
      continue;
    if (best == nullptr || each.route.priority.value_or(0) < best->route.priority.value_or(0))
      best = &each;
  }
  return best;
}

}  // namespace

Result<std::vector<Cidr>> HostRouting::occupied_subnets() {
  TRY(const HostSubnets subnets, host_subnets());
  std::set<Cidr> all;
  for (const auto* some : {&subnets.connected, &subnets.routed, &subnets.elsewhere})
    for (const HostRoute& route : *some) all.insert(route.destination);
  return std::vector<Cidr>(all.begin(), all.end());
}

Result<LinkDetails> NetlinkHostRouting::find(int index) {
  return socket_.get(get_link(index), fmt::format("find interface {}", index));
}

Result<HostSubnets> NetlinkHostRouting::host_subnets() {
  HostSubnets subnets;
  TRY(const FoundLinks links, socket_.list());
  std::map<int, const Link*> by_index;
  for (const LinkDetails& each : links) by_index[each.link.index] = &each.link;
  const auto link_of = [&](int index) {
    const auto found = by_index.find(index);
    return found == by_index.end() ? nullptr : found->second;
  };
  const auto add = [&](std::vector<HostRoute>& to, const Cidr& network, int ifindex,
                       std::uint32_t table) {
    if (!counts_as_occupied(network)) return;
    const Link* through = link_of(ifindex);
    const Link* master = through == nullptr ? nullptr : link_of(through->master);
    to.push_back({.destination = network,
                  .interface = through == nullptr ? std::string() : through->name,
                  .table = table,
                  .in_vrf = master != nullptr && master->kind == "vrf"});
  };
  for (const Family family : {Family::kV4, Family::kV6}) {
    TRY(const auto present, socket_.routes(family, 0, RT_TABLE_UNSPEC));
    for (const RouteDetails& each : present) {
      const Cidr network = each.route.destination.network();
      const std::uint32_t table = each.route.table.value_or(RT_TABLE_UNSPEC);
      // Routes to a link that the kernel did not make itself often lead to a VPN's peers, so they
      // count as routed.
      const bool to_link =
          each.type == RTN_UNICAST && !each.route.via && each.protocol == RTPROT_KERNEL;
      if (table == RT_TABLE_MAIN)
        add(to_link ? subnets.connected : subnets.routed, network, each.ifindex, table);
      else if (table != RT_TABLE_LOCAL)
        add(subnets.elsewhere, network, each.ifindex, table);
    }
    TRY(const auto addresses, socket_.addresses(family));
    for (const AddressDetails& each : addresses)
      add(subnets.connected, each.address.network(), each.ifindex, 0);
  }
  return subnets;
}

Result<std::optional<Link>> NetlinkHostRouting::default_route_link() {
  for (const Family family : {Family::kV4, Family::kV6}) {
    TRY(const std::vector<RouteDetails> present, socket_.routes(family, 0));
    const RouteDetails* best = best_default(present);
    if (best == nullptr) continue;
    TRY(LinkDetails found, find(best->ifindex));
    return std::optional(std::move(found.link));
  }
  return std::optional<Link>();
}

Result<bool> NetlinkHostRouting::is_forwarding(Family family) {
  std::string present;
  TRY_STATUS(in_netns(netns_, [&]() -> Status {
    TRY(present, read_sysctl(forwarding_setting(family)));
    return {};
  }));
  return present == "1";
}

Result<bool> NetlinkHostRouting::enable_forwarding(Family family) {
  TRY(const bool on, is_forwarding(family));
  if (on) return false;
  if (family == Family::kV6) TRY_STATUS(keep_router_advertisements(Hearing::kAny));
  TRY_STATUS(in_netns(netns_, [&] { return write_sysctl(forwarding_setting(family), "1"); }));
  return true;
}

Result<std::optional<std::size_t>> NetlinkHostRouting::neighbour_limit(Family family) {
  std::optional<std::size_t> limit;
  TRY_STATUS(in_netns(netns_, [&]() -> Status {
    const auto text = read_sysctl(
        fmt::format("net/ipv{}/neigh/default/gc_thresh3", family == Family::kV4 ? 4 : 6));
    if (!text && text.error().code == Code::kNotFound) return {};
    if (!text) return tl::unexpected(text.error());
    limit = std::strtoull(text->c_str(), nullptr, 10);
    return {};
  }));
  return limit;
}

Result<std::vector<int>> NetlinkHostRouting::learned_from() {
  TRY(const std::vector<RouteDetails> present, socket_.routes(Family::kV6, 0));
  std::vector<int> indexes;
  for (const RouteDetails& each : present)
    if (each.protocol == RTPROT_RA && each.ifindex != 0) indexes.push_back(each.ifindex);
  return indexes;
}

// A host that forwards ignores router advertisements unless accept_ra is 2
// (Documentation/networking/ip-sysctl.rst), and would lose its own default route some minutes
// later.
Result<std::vector<std::string>> NetlinkHostRouting::keep_router_advertisements(Hearing of) {
  TRY(const std::vector<int> learned, learned_from());
  TRY(const FoundLinks links, socket_.list());
  std::vector<std::string> changed;
  for (const LinkDetails& each : links) {
    const bool hears = std::ranges::find(learned, each.link.index) != learned.end() ||
                       (of == Hearing::kAny && may_hear_routers(each.link));
    if (!hears || each.accept_ra != 1) continue;
    const std::string setting = fmt::format("net/ipv6/conf/{}/accept_ra", each.link.name);
    const Status set = in_netns(netns_, [&] { return write_sysctl(setting, "2"); });
    if (!set && set.error().code == Code::kNotFound) continue;  // gone, or renamed: told of again
    if (!set) return fail(set.error());
    changed.push_back(each.link.name);
  }
  return changed;
}

bool leads_everywhere(const Cidr& network) {
  return network.prefix_length() < (network.is_v4() ? 8U : 16U);
}

bool may_hear_routers(const Link& link) {
  constexpr std::array<std::string_view, 6> kKinds{"", "vlan", "bond", "team", "macvlan", "wwan"};
  return link.master == 0 && link.name != "lo" &&
         std::ranges::find(kKinds, link.kind) != kKinds.end();
}

}  // namespace fairlead::kernel
