// Links on a parent: in containers, where they have no other end in the host, and of one VLAN.
#include <cerrno>

#include "base/fault.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

namespace {

// The kernel's words are "Unknown device type" (net/core/rtnetlink.c, rtnl_newlink).
bool is_unknown_kind(const Error& error) { return error.sys_errno == EOPNOTSUPP; }

}  // namespace

// The kernel's echo of a link in another namespace does not come here, so the link is asked for.
Result<Link> NetlinkLinks::create_on_parent(NetlinkMessage message, const IfName& name,
                                            int netns_fd) {
  const std::string what = fmt::format("make interface {}", name.str());
  const Status made = socket_.request(std::move(message), what);
  if (!made && made.error().sys_errno == EEXIST)
    return fail(Code::kExists, "interface {} exists already", name.str());
  if (!made) return fail(made.error());
  fault_point("links.on_parent.created");
  if (netns_fd < 0) return find(name);
  TRY(NetlinkSocket inside, open_socket_in(netns_fd));
  TRY(LinkDetails found, RouteSocket(std::move(inside)).get(get_link(name), what));
  return std::move(found.link);
}

Result<Link> NetlinkLinks::create_macvlan(const MacvlanSpec& spec) {
  return create_on_parent(kernel::create_macvlan(spec), spec.name, spec.netns_fd);
}

Result<Link> NetlinkLinks::create_ipvlan(const IpvlanSpec& spec) {
  return create_on_parent(kernel::create_ipvlan(spec), spec.name, spec.netns_fd);
}

Result<Link> NetlinkLinks::create_vlan(const VlanSpec& spec) {
  TRY(Link made, create_on_parent(kernel::create_vlan(spec), spec.name, -1));
  if (spec.alias.empty()) return made;
  NetlinkMessage alias = change_link(made.index);
  alias.put_text(IFLA_IFALIAS, spec.alias);
  const Status named = socket_.request(std::move(alias), "set the alias of " + spec.name.str());
  if (named) return find(spec.name);
  (void)remove_links({made});
  return fail(named.error());
}

Result<bool> NetlinkLinks::has_kind(const std::string& kind) {
  const Status made = socket_.request(create_without_parent(kind), "ask for links of kind " + kind);
  if (made || !is_unknown_kind(made.error())) return true;
  return false;
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
