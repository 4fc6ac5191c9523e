#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "base/fault.h"
#include "network/kernel/host/sysctl.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

namespace {

constexpr int kLoopbackIndex = 1;  // in every namespace (net/core/dev.c)
constexpr int kFirstIndex = 2;     // what comes first has no other interface beside it

// Behind the metrics of routes that have none: 0, and 1024 for IPv6 (IP6_RT_PRIO_USER).
constexpr std::uint32_t kLaterMetric = 2048;

bool has_ipv6(const ContainerSpec& spec) {
  return std::ranges::any_of(spec.addresses, [](const Cidr& address) { return !address.is_v4(); });
}

// Makes those IPv6 settings that netlink cannot set. Runs inside the namespace. A container has the
// addresses that it was given and no others, so router advertisements are not accepted, even in a
// container without IPv6 addresses. The kernel may lack IPv6 altogether.
Status set_up_ipv6(const ContainerSpec& spec) {
  const std::string conf = fmt::format("net/ipv6/conf/{}/", spec.name.str());
  if (!has_ipv6(spec)) {
    const Status deaf = write_sysctl(conf + "accept_ra", "0");
    return deaf || deaf.error().code == Code::kNotFound ? Status() : deaf;
  }
  TRY_STATUS(write_sysctl(conf + "disable_ipv6", "0"));
  TRY_STATUS(write_sysctl(conf + "accept_ra", "0"));
  if (spec.announce) TRY_STATUS(write_sysctl(conf + "ndisc_notify", "1"));
  return {};
}

std::string describe(const RouteSpec& route, const std::string& name) {
  return fmt::format("add route {}{} through {}", route.destination.to_string(),
                     route.via ? " via " + route.via->to_string() : "", name);
}

// The order counts: the link goes up after the kernel was told not to make a link-local address,
// and routes come after the addresses that make their gateways reachable.
std::vector<NetlinkStep> container_steps(const ContainerSpec& spec,
                                         std::span<const RouteSpec> routes,
                                         const std::optional<Cidr>& link_local) {
  const std::string& name = spec.name.str();
  std::vector<NetlinkStep> steps;
  steps.push_back({change_link(kLoopbackIndex, LinkState::kUp), "switch lo on"});
  NetlinkMessage settings = change_link(spec.ifindex);
  put_family_settings(settings, {.arp_notify = spec.announce ? std::optional(true) : std::nullopt,
                                 .no_link_local = true});
  steps.push_back(
      {std::move(settings), fmt::format("set up the families of {}", name), EAFNOSUPPORT});
  steps.push_back({change_link(spec.ifindex, LinkState::kUp), fmt::format("switch {} on", name)});
  const auto add = [&](const Cidr& address) {
    steps.push_back({add_address(spec.ifindex, address),
                     fmt::format("add address {} to {}", address.to_string(), name), EEXIST});
  };
  if (link_local) add(*link_local);
  std::ranges::for_each(spec.addresses, add);
  for (const auto& [address, mac] : spec.neighbours)
    steps.push_back({set_neighbour(spec.ifindex, address, mac),
                     fmt::format("tell {} its neighbour {}", name, address.to_string())});
  for (const RouteSpec& route : routes)
    steps.push_back({add_route(spec.ifindex, route), describe(route, name), EEXIST});
  steps.push_back({get_link(spec.ifindex), fmt::format("settle {}", name)});
  return steps;
}

bool is_plain_default(const RouteSpec& route) {
  return route.destination.prefix_length() == 0 && !route.priority && !route.table;
}

// Default routes of the main table through the namespace's other interfaces.
Result<bool> others_have_default(RouteSocket& socket, Family family, int ifindex) {
  TRY(const std::vector<RouteDetails> found, socket.routes(family, 0));
  return std::ranges::any_of(found, [&](const RouteDetails& each) {
    return each.type == RTN_UNICAST && each.ifindex != 0 && each.ifindex != ifindex &&
           each.route.destination.prefix_length() == 0;
  });
}

// Gives default routes a metric behind those of other interfaces, and returns which ones. Indexes
// grow, so that of several the first comes first.
Result<std::vector<RouteSpec>> step_back(RouteSocket& socket, int ifindex,
                                         std::vector<RouteSpec>& routes) {
  std::vector<RouteSpec> behind;
  for (RouteSpec& route : routes) {
    if (!is_plain_default(route)) continue;
    TRY(const bool taken, others_have_default(socket, route.destination.family(), ifindex));
    if (!taken) continue;
    route.priority = kLaterMetric + static_cast<std::uint32_t>(ifindex);
    behind.push_back(route);
  }
  return behind;
}

// Adds the default routes that others have taken meanwhile. Those of the interface itself, from an
// earlier call, stay as they are.
Status add_behind(RouteSocket& socket, const ContainerSpec& spec, std::vector<RouteSpec>& routes) {
  TRY(const std::vector<RouteSpec> behind, step_back(socket, spec.ifindex, routes));
  std::vector<NetlinkStep> steps;
  for (const RouteSpec& route : behind)
    steps.push_back({add_route(spec.ifindex, route), describe(route, spec.name.str()), EEXIST});
  return socket.batch(std::move(steps));
}

// Sets the MAC address that the link already has, which makes the kernel announce the configured
// addresses (arp_notify, ndisc_notify). An announcement before the ports on the path forward
// packets would be lost.
Status announce_again(RouteSocket& socket, const ContainerSpec& spec, const MacAddress& mac) {
  NetlinkMessage message = change_link(spec.ifindex);
  message.put(IFLA_ADDRESS, mac.bytes());
  const Status told = socket.request(std::move(message),
                                     fmt::format("announce the addresses of {}", spec.name.str()));
  // A link with its parent's MAC (ipvlan) cannot be set; it has spoken when it came up.
  return !told && told.error().sys_errno == EOPNOTSUPP ? Status() : told;
}

Result<std::vector<RouteSpec>> routes_of(RouteSocket& socket, int ifindex) {
  std::vector<RouteSpec> all;
  for (const Family family : {Family::kV4, Family::kV6}) {
    TRY(const std::vector<RouteDetails> found, socket.routes(family, ifindex));
    for (const RouteDetails& each : found)
      if (each.ifindex == ifindex && each.type == RTN_UNICAST) all.push_back(each.route);
  }
  return all;
}

}  // namespace

// Where the interface is the first of its namespace nobody is asked for other default routes. One that
// another caller adds meanwhile is met as a route that exists.
Result<std::vector<RouteSpec>> NetlinkLinks::configure_container(const ContainerSpec& spec) {
  const bool ipv6 = has_ipv6(spec);
  TRY(NetlinkSocket inside, open_socket_in(spec.netns_fd, [&] { return set_up_ipv6(spec); }));
  RouteSocket socket(std::move(inside));
  std::optional<Cidr> link_local;
  if (ipv6) {
    TRY(const LinkDetails link,
        socket.get(get_link(spec.ifindex), fmt::format("find {}", spec.name.str())));
    link_local = Cidr::of(IpAddress::link_local(link.link.mac), 64);
  }
  std::vector<RouteSpec> routes = spec.routes;
  if (spec.ifindex > kFirstIndex) TRY_STATUS(step_back(socket, spec.ifindex, routes));
  auto steps = container_steps(spec, routes, link_local);
  const std::size_t first_route = steps.size() - routes.size() - 1;
  Link configured;
  bool met = false;
  TRY_STATUS(socket.batch(
      std::move(steps),
      [&](const MessageView& message) {
        if (auto link = parse_link(message.payload)) configured = std::move(link->link);
      },
      [&](std::size_t index, const Ack&) {
        met |= index >= first_route && is_plain_default(routes[index - first_route]);
      }));
  if (met) TRY_STATUS(add_behind(socket, spec, routes));
  fault_point("links.container.configured");
  socket.await_ipv6_addresses(spec.addresses);
  if (spec.announce) {
    TRY_STATUS(settle_peer(configured));
    TRY_STATUS(announce_again(socket, spec, configured.mac));
  }
  return routes;
}

Status NetlinkLinks::settle_peer(const Link& container_link) {
  if (container_link.peer_index == 0) return {};
  // The peer may be in a third namespace; then there is nothing to settle in this one.
  if (const auto peer = find(container_link.peer_index);
      peer && peer->kind == "veth" && peer->master != 0)
    (void)find(peer->master);
  return {};
}

Result<InterfaceView> NetlinkLinks::inspect(int netns_fd, const IfName& name) {
  TRY(NetlinkSocket inside, open_socket_in(netns_fd));
  RouteSocket socket(std::move(inside));
  TRY(const LinkDetails found,
      socket.get(get_link(name), fmt::format("find interface {}", name.str())));
  InterfaceView view{.link = found.link, .addresses = {}, .routes = {}};
  TRY(view.addresses, socket.addresses_of(found.link.index));
  TRY(view.routes, routes_of(socket, found.link.index));
  return view;
}

}  // namespace fairlead::kernel
