// Room for the MAC addresses of all containers' neighbours, which all namespaces share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "network/api/types.h"
#include "network/kernel/links/host_routing.h"

namespace fairlead::network {

// A sentence for each family whose table may be too small for these endpoints. Each is an entry for
// the host and knows one for its gateway; where the table is full the kernel drops the first packet
// to a neighbour without a word (net/core/neighbour.c, neigh_alloc). A setting that cannot be read
// is no problem.
std::vector<std::string> neighbour_problems(kernel::HostRouting& routing,
                                            std::span<const Endpoint> endpoints);

}  // namespace fairlead::network
