// Links inside of containers that have no other end in the host.
#include <linux/rtnetlink.h>

#include <cerrno>

#include "base/fault.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

// The kernel's echo of a link in another namespace does not come here, so the link is asked for.
Result<Link> NetlinkLinks::create_macvlan(const MacvlanSpec& spec) {
  const std::string what = fmt::format("make interface {}", spec.name.str());
  const Status made = request(kernel::create_macvlan(spec), what);
  if (!made && made.error().sys_errno == EEXIST)
    return fail(Code::kExists, "interface {} exists already", spec.name.str());
  if (!made) return fail(made.error());
  fault_point("links.macvlan.created");
  if (spec.netns_fd < 0) return find(spec.name);
  TRY(NetlinkSocket socket, open_socket_in(spec.netns_fd));
  std::optional<LinkDetails> found;
  TRY_STATUS(socket.request(get_link(spec.name), what,
                            [&](const MessageView& m) { found = parse_link(m.payload); }));
  if (!found) return fail(Code::kIo, "{}: the kernel's answer is no link", what);
  return std::move(found->link);
}

Result<std::vector<Link>> NetlinkLinks::list_inside(int netns_fd) {
  TRY(NetlinkSocket socket, open_socket_in(netns_fd));
  std::vector<Link> links;
  TRY_STATUS(socket.dump(
      dump_links(), "list the interfaces of a container", [&] { links.clear(); },
      [&](const MessageView& message) {
        if (auto link = parse_link(message.payload)) links.push_back(std::move(link->link));
      }));
  return links;
}

Status NetlinkLinks::remove_inside(int netns_fd, int index) {
  TRY(NetlinkSocket socket, open_socket_in(netns_fd));
  const Status gone = socket.request(delete_link(index), "remove an interface of a container");
  return !gone && gone.error().sys_errno == ENODEV ? Status() : gone;
}

}  // namespace fairlead::kernel
