// What else of the host leads into the subnets of a network. Pure.
#pragma once

#include <string>
#include <vector>

#include "network/api/types.h"
#include "network/kernel/links/host_routing.h"

namespace fairlead::network {

// In words for `status`, each once: interfaces and routes that have come up over a subnet of the network,
// and take packets away from it or from each other. `own` are the interfaces of the network itself.
// Wider routes of the main table are none: the longer prefix wins.
std::vector<std::string> overlaps_of(const Network& network, const std::vector<IfName>& own,
                                     const kernel::HostSubnets& host);

}  // namespace fairlead::network
