// A shared socket of rtnetlink, and the questions that are asked through it everywhere.
#pragma once

#include <linux/rtnetlink.h>

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "network/kernel/links/parse.h"
#include "network/kernel/netlink/shared_socket.h"

namespace fairlead::kernel {

// The links in the kernel's answers to the requests of a batch.
using FoundLinks = std::vector<LinkDetails>;

// The links, addresses and routes of one network namespace. Thread-safe. The deletion of a link
// holds the other callers up for a grace period of RCU (10-30 ms), so those who must not wait have
// a socket of their own.
class RouteSocket : public SharedSocket {
 public:
  using SharedSocket::SharedSocket;

  // The links that the kernel tells of in its answers.
  Result<FoundLinks> ask(std::vector<NetlinkStep> steps);
  // The one link of the answer. kNotFound when there is no such link.
  Result<LinkDetails> get(NetlinkMessage message, std::string_view what);
  // std::nullopt when there is no such link.
  Result<std::optional<LinkDetails>> find(const IfName& name, std::string_view what);
  Result<FoundLinks> list(std::string_view what = "list interfaces");
  // Deletes the link, and waits for the grace period. Succeeds when it is already gone.
  Status remove(int index, std::string_view what);

  Result<std::vector<AddressDetails>> addresses(Family family, int index = 0);  // 0: of all links
  // The addresses of both families.
  Result<std::vector<Cidr>> addresses_of(int index);
  // The routes of one table, or of all (RT_TABLE_UNSPEC), through one link (0: all links).
  Result<std::vector<RouteDetails>> routes(Family family, int index,
                                           std::uint32_t table = RT_TABLE_MAIN);

  // Waits until IPv6 addresses that were just added can be reached. The kernel puts them into use
  // from a work queue, even without duplicate address detection (net/ipv6/addrconf.c,
  // addrconf_dad_work), and does not answer neighbour solicitations for them before. Costs one
  // request for each address when all are ready; stops waiting after 200 ms, without an error.
  void await_ipv6_addresses(std::span<const Cidr> addresses);

 private:
  bool is_local(const IpAddress& address);
};

// Adds the link of a message to `links`, if it is about one.
void collect_links(FoundLinks& links, const MessageView& message);

// A socket in the namespace, where `also` runs too.
Result<NetlinkSocket> open_socket_in(int netns_fd, const std::function<Status()>& also = {});

}  // namespace fairlead::kernel
