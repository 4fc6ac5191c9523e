// Links to single containers, to which the host routes without a bridge.
#include <algorithm>
#include <cerrno>

#include "base/fault.h"
#include "network/kernel/host/sysctl.h"
#include "network/kernel/links/device.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

namespace {

bool has_ipv6(const RoutedLink& link) {
  return std::ranges::any_of(link.addresses, [](const Cidr& address) { return !address.is_v4(); });
}

// As write_sysctl(), for a kernel without IPv6.
Status write_if_there(const std::string& path, std::string_view value) {
  const Status written = write_sysctl(path, value);
  return written || written.error().code == Code::kNotFound ? Status() : written;
}

// What netlink cannot set. No container sets the host's routes by router advertisements. A link
// without IPv6 has none of it, not even routes of multicast, of which the kernel keeps a list that
// it walks for each link. A request that came in as a broadcast is answered at once.
Status set_up(const RoutedLink& link) {
  const std::string v6 = fmt::format("net/ipv6/conf/{}/", link.name.str());
  TRY_STATUS(write_if_there(v6 + "disable_ipv6", has_ipv6(link) ? "0" : "1"));
  if (has_ipv6(link)) TRY_STATUS(write_if_there(v6 + "accept_ra", "0"));
  if (!link.proxy_arp) return {};
  return write_if_there(fmt::format("net/ipv4/neigh/{}/proxy_delay", link.name.str()), "0");
}

// Alone, but for a link-local one, whose neighbour speaks under one as well.
Cidr on_the_link(const IpAddress& own) {
  static const Cidr kLinkLocal = Cidr::of(*IpAddress::parse("fe80::"), 10);
  if (own.is_v4()) return Cidr::of(own, 32);
  return Cidr::of(own, kLinkLocal.contains(own) ? 64 : 128);
}

std::vector<NetlinkStep> steps_of(const RoutedLink& link) {
  const std::string& name = link.name.str();
  std::vector<NetlinkStep> steps;
  // Before the link is up. One without IPv6 gets no address of its own anyway.
  if (has_ipv6(link))
    steps.push_back(no_link_local(link.index, fmt::format("set up the families of {}", name)));
  NetlinkMessage up = change_link(link.index, LinkState::kUp);
  if (link.proxy_arp) put_family_settings(up, {.proxy_arp = true});
  steps.push_back({std::move(up), fmt::format("switch {} on", name)});
  for (const IpAddress& own : link.own_addresses)
    steps.push_back({add_address(link.index, on_the_link(own)),
                     fmt::format("add address {} to {}", own.to_string(), name), EEXIST});
  for (const Cidr& each : link.addresses) {
    const IpAddress address = each.address();
    const std::string what = fmt::format("lead {} to {}", address.to_string(), name);
    steps.push_back({set_neighbour(link.index, address, link.container_mac), what});
    steps.push_back(
        {lead_address(link.index, address, address.is_v4() ? link.source_v4 : std::nullopt), what});
  }
  return steps;
}

}  // namespace

Status NetlinkLinks::route_container(const RoutedLink& link) {
  TRY_STATUS(in_host([&] { return set_up(link); }));
  fault_point("links.routed.set_up");
  return socket_.batch(steps_of(link));
}

Result<bool> NetlinkLinks::routes_container(const RoutedLink& link) {
  TRY(const Link present, find(link.index));
  if (!present.up) return false;
  for (const Cidr& each : link.addresses) {
    int leads_to = 0;
    const Status asked = socket_.request(look_up_route(each.address()), "look up a route",
                                         [&](const MessageView& message) {
                                           if (const auto route = parse_route(message.payload))
                                             leads_to = route->ifindex;
                                         });
    // Without a route the kernel answers with an error.
    if (!asked || leads_to != link.index) return false;
  }
  return true;
}

Status NetlinkLinks::answer_for(int index, const IpAddress& address, bool on) {
  const std::string what = fmt::format(
      "{} for {} on interface {}", on ? "answer" : "stop answering", address.to_string(), index);
  if (!on) {
    const Status ended = socket_.request(delete_proxy(index, address), what);
    const int error = ended ? 0 : ended.error().sys_errno;
    return error == ENOENT || error == ENODEV ? Status() : ended;
  }
  if (!address.is_v4()) {
    TRY(const Link link, find(index));
    TRY_STATUS(in_host(
        [&] { return write_sysctl(fmt::format("net/ipv6/conf/{}/proxy_ndp", link.name), "1"); }));
  }
  return socket_.request(set_proxy(index, address), what);
}

}  // namespace fairlead::kernel
