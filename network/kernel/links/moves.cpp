// Devices of the host that a container has for a while.
#include <cerrno>

#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

Result<Link> NetlinkLinks::move_inside(int index, int netns_fd, const IfName& name) {
  const std::string what = fmt::format("move interface {} into the container", index);
  // The kernel would take a name that is in use for a wish, and move the device all the same.
  TRY(NetlinkSocket inside, open_socket_in(netns_fd));
  RouteSocket socket(std::move(inside));
  TRY(const auto taken, socket.find(name, what));
  if (taken) return fail(Code::kExists, "interface {} exists already in the container", name.str());
  TRY_STATUS(socket_.request(rename_link(index, name, netns_fd), what));
  TRY(LinkDetails moved, socket.get(get_link(name), what));
  return std::move(moved.link);
}

Status NetlinkLinks::move_back(int netns_fd, int index, const IfName& name) {
  const std::string what = fmt::format("move interface {} back into the host", name.str());
  if (netns_fd < 0) {
    std::vector<NetlinkStep> steps;
    steps.push_back({change_link(index, LinkState::kDown), what});
    steps.push_back({rename_link(index, name), what});
    return socket_.batch(std::move(steps));
  }
  TRY(NetlinkSocket inside, open_socket_in(netns_fd));
  return RouteSocket(std::move(inside)).request(rename_link(index, name, host_netns_.get()), what);
}

Result<std::vector<Cidr>> NetlinkLinks::addresses(int index) { return socket_.addresses_of(index); }

Status NetlinkLinks::restore(int index, bool up, const std::vector<Cidr>& addresses) {
  const std::string what = fmt::format("set up interface {} as it was", index);
  std::vector<NetlinkStep> steps;
  steps.push_back({change_link(index, up ? LinkState::kUp : LinkState::kDown), what});
  for (const Cidr& address : addresses)
    steps.push_back({add_address(index, address), what, EEXIST});
  return socket_.batch(std::move(steps));
}

}  // namespace fairlead::kernel
