#include "network/drivers/container_side.h"

#include <algorithm>

namespace fairlead::network {

namespace {

kernel::RouteSpec to_kernel(const Route& route) {
  return {.destination = route.destination,
          .via = route.via,
          .mtu = route.mtu,
          .advmss = route.advmss,
          .priority = route.priority,
          .table = route.table,
          .scope = route.scope};
}

}  // namespace

kernel::ContainerSpec container_side(const Endpoint& endpoint, const IntoNetns& inside, int ifindex,
                                     bool announce) {
  kernel::ContainerSpec spec{.netns_fd = inside.fd,
                             .ifindex = ifindex,
                             .name = inside.ifname,
                             .addresses = endpoint.addresses,
                             .announce = announce};
  for (const Route& route : container_routes(endpoint)) spec.routes.push_back(to_kernel(route));
  return spec;
}

Result<kernel::Veth> create_own_veth(kernel::Links& links, const kernel::VethSpec& spec) {
  auto veth = links.create_veth(spec);
  if (veth || veth.error().code != Code::kExists) return veth;
  if (!links.find(spec.host_name))
    return fail(Code::kExists, "interface {} exists already in the container",
                spec.peer_name.str());
  TRY_STATUS(links.remove(spec.host_name));
  return links.create_veth(spec);
}

Result<std::vector<Route>> give_addresses_inside(kernel::Links& links, const Endpoint& endpoint,
                                                 const IntoNetns& inside) {
  TRY(const auto view, links.inspect(inside.fd, inside.ifname));
  TRY(const auto added,
      links.configure_container(container_side(endpoint, inside, view.link.index, true)));
  return changed_routes(endpoint, added);
}

std::vector<Route> changed_routes(const Endpoint& endpoint,
                                  const std::vector<kernel::RouteSpec>& added) {
  std::vector<Route> routes = container_routes(endpoint);
  bool changed = false;
  for (std::size_t at = 0; at < std::min(routes.size(), added.size()); ++at) {
    changed |= routes[at].priority != added[at].priority;
    routes[at].priority = added[at].priority;
  }
  return changed ? routes : std::vector<Route>();
}

Status check_container_side(const Endpoint& endpoint, const kernel::InterfaceView& view) {
  if (!view.link.up)
    return fail(Code::kConflict, "interface {} of the container is down", view.link.name);
  for (const Cidr& address : endpoint.addresses)
    if (std::ranges::find(view.addresses, address) == view.addresses.end())
      return fail(Code::kConflict, "interface {} of the container has lost the address {}",
                  view.link.name, address.to_string());
  for (const Route& route : container_routes(endpoint)) {
    const bool there = std::ranges::any_of(view.routes, [&](const kernel::RouteSpec& seen) {
      return seen.destination == route.destination && (!route.via || seen.via == route.via);
    });
    if (!there && !route.table)
      return fail(Code::kConflict, "interface {} of the container has lost the route to {}",
                  view.link.name, route.destination.to_string());
  }
  return {};
}

}  // namespace fairlead::network
