// The routed driver: each endpoint has a link to the host of its own, a veth pair, and the host
// routes between them. There is no bridge: no limit of 1,023 ports, no broadcast domain, and what a
// container sends is held to its own address by the way back to it.
//
//   container                                    host
//   eth0  10.20.0.5/32, 2001:db8::5/128  <veth>  flrNNNNEEEEEEEE   route 10.20.0.5/32, 2001:db8::5/128
//         10.20.0.1 dev eth0 (permanent neighbour)
//         default via 10.20.0.1                  fl-NETWORK        10.20.0.1/24, a bridge without ports
//
// The gateway's addresses are on an empty bridge, because they must not come and go with containers,
// and because thousands of links with one address are what the kernel walks through for each new
// one. It also keeps the host's route to the whole subnet: a packet to nobody is not sent to the
// world.
//
//   mode=routed
//   routed_proxy=IFACE      the network's subnet is a part of that of this interface of the host: the host
//                           answers there for the containers (proxy ARP and NDP)
#pragma once

#include <memory>
#include <string>

#include "network/api/driver.h"
#include "network/drivers/bridge.h"
#include "network/kernel/links/links.h"
#include "network/kernel/tunnels/vxlan.h"

namespace fairlead::network {

// As make_bridge_driver().
std::unique_ptr<Driver> make_routed_driver(kernel::Links& links, kernel::Tunnels& tunnels,
                                           std::string boot_id, StoreMark mark = {},
                                           BeforeForwarding before_forwarding = {});

}  // namespace fairlead::network
