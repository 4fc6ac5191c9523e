#include "network/kernel/links/route_socket.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "network/kernel/host/netns.h"
#include "network/kernel/links/messages.h"

namespace fairlead::kernel {

void collect_links(FoundLinks& links, const MessageView& message) {
  if (message.type != RTM_NEWLINK) return;
  if (auto link = parse_link(message.payload)) links.push_back(std::move(*link));
}

Result<NetlinkSocket> open_socket_in(int netns_fd, const std::function<Status()>& also) {
  std::optional<NetlinkSocket> socket;
  TRY_STATUS(in_netns(netns_fd, [&]() -> Status {
    TRY(socket, NetlinkSocket::open(NETLINK_ROUTE));
    return also ? also() : Status();
  }));
  return std::move(*socket);
}

// ---- links

Result<FoundLinks> RouteSocket::ask(std::vector<NetlinkStep> steps) {
  FoundLinks found;
  TRY_STATUS(batch(std::move(steps), [&](const MessageView& m) { collect_links(found, m); }));
  return found;
}

Result<LinkDetails> RouteSocket::get(NetlinkMessage message, std::string_view what) {
  FoundLinks found;
  TRY_STATUS(
      request(std::move(message), what, [&](const MessageView& m) { collect_links(found, m); }));
  if (found.size() != 1) return fail(Code::kIo, "{}: the kernel's answer is no link", what);
  return std::move(found.front());
}

Result<std::optional<LinkDetails>> RouteSocket::find(const IfName& name, std::string_view what) {
  auto found = get(get_link(name), what);
  if (found) return std::optional(std::move(*found));
  if (found.error().code == Code::kNotFound) return std::optional<LinkDetails>();
  return fail(std::move(found).error());
}

Result<FoundLinks> RouteSocket::list(std::string_view what) {
  return collect(dump_links(), what,
                 [](const MessageView& message) { return parse_link(message.payload); });
}

Status RouteSocket::remove(int index, std::string_view what) {
  Status gone = request(delete_link(index), what);
  return !gone && gone.error().sys_errno == ENODEV ? Status() : gone;
}

// ---- addresses and routes

Result<std::vector<AddressDetails>> RouteSocket::addresses(Family family, int index) {
  return collect(dump_addresses(family, index), "list addresses", [&](const MessageView& message) {
    auto address = parse_address(message.payload);
    if (address && index != 0 && address->ifindex != index) address.reset();
    return address;
  });
}

Result<std::vector<Cidr>> RouteSocket::addresses_of(int index) {
  std::vector<Cidr> all;
  for (const Family family : {Family::kV4, Family::kV6}) {
    TRY(const std::vector<AddressDetails> found, addresses(family, index));
    for (const AddressDetails& each : found) all.push_back(each.address);
  }
  return all;
}

Result<std::vector<RouteDetails>> RouteSocket::routes(Family family, int index,
                                                      std::uint32_t table) {
  auto found =
      collect(dump_routes(family, index, table), "list routes", [&](const MessageView& message) {
        auto route = parse_route(message.payload);
        const bool wanted = route && (table == RT_TABLE_UNSPEC || route->route.table == table);
        return wanted ? std::move(route) : std::nullopt;
      });
  // ENOENT: the table has no route yet, since the kernel makes the main table with its first route.
  if (!found && found.error().sys_errno == ENOENT) return std::vector<RouteDetails>();
  return found;
}

bool RouteSocket::is_local(const IpAddress& address) {
  bool local = false;
  const Status asked =
      request(look_up_route(address), "look up a route", [&](const MessageView& message) {
        const auto route = parse_route(message.payload);
        local = route && route->type == RTN_LOCAL;
      });
  return asked && local;
}

void RouteSocket::await_ipv6_addresses(std::span<const Cidr> addresses) {
  constexpr std::chrono::milliseconds kMostWait{200};
  constexpr std::chrono::microseconds kPause{50};
  const auto deadline = std::chrono::steady_clock::now() + kMostWait;
  for (const Cidr& each : addresses) {
    if (each.is_v4()) continue;
    while (!is_local(each.address()) && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(kPause);
  }
}

}  // namespace fairlead::kernel
