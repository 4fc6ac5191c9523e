// The container's side of a link, which is the same whatever the link is.
#pragma once

#include "network/api/driver.h"
#include "network/kernel/links/links.h"

namespace fairlead::network {

// What configure_container() is told of an endpoint whose link has this index in the namespace.
// `announce`: neighbours are told of the addresses once the link is up.
kernel::ContainerSpec container_side(const Endpoint& endpoint, const IntoNetns& inside, int ifindex,
                                     bool announce);

// Makes the pair of an endpoint. The names of links are derived from ids, so one that has the name of
// the host's side already is this endpoint's and was left by a crash: it is deleted. kExists when the
// name is taken in the container.
Result<kernel::Veth> create_own_veth(kernel::Links& links, const kernel::VethSpec& spec);

// Gives the container's interface, which is up, the endpoint's addresses and routes; returns the routes
// for EndpointLinks. Neighbours are told.
Result<std::vector<Route>> give_addresses_inside(kernel::Links& links, const Endpoint& endpoint,
                                                 const IntoNetns& inside);

// The routes of configure_container(), for EndpointLinks: empty when they are those of the endpoint.
std::vector<Route> changed_routes(const Endpoint& endpoint,
                                  const std::vector<kernel::RouteSpec>& added);

// kConflict when the interface is down or has lost an address or a route of the endpoint.
Status check_container_side(const Endpoint& endpoint, const kernel::InterfaceView& view);

}  // namespace fairlead::network
