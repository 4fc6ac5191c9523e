// Links inside of containers that have no other end in the host.
#include <cerrno>

#include "base/fault.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

// The kernel's echo of a link in another namespace does not come here, so the link is asked for.
Result<Link> NetlinkLinks::create_macvlan(const MacvlanSpec& spec) {
  const std::string what = fmt::format("make interface {}", spec.name.str());
  const Status made = socket_.request(kernel::create_macvlan(spec), what);
  if (!made && made.error().sys_errno == EEXIST)
    return fail(Code::kExists, "interface {} exists already", spec.name.str());
  if (!made) return fail(made.error());
  fault_point("links.macvlan.created");
  if (spec.netns_fd < 0) return find(spec.name);
  TRY(NetlinkSocket inside, open_socket_in(spec.netns_fd));
  TRY(LinkDetails found, RouteSocket(std::move(inside)).get(get_link(spec.name), what));
  return std::move(found.link);
}

Result<std::vector<Link>> NetlinkLinks::list_inside(int netns_fd) {
  TRY(NetlinkSocket inside, open_socket_in(netns_fd));
  TRY(FoundLinks found, RouteSocket(std::move(inside)).list("list the interfaces of a container"));
  return links_of(std::move(found));
}

Status NetlinkLinks::remove_inside(int netns_fd, int index) {
  TRY(NetlinkSocket inside, open_socket_in(netns_fd));
  return RouteSocket(std::move(inside)).remove(index, "remove an interface of a container");
}

}  // namespace fairlead::kernel
