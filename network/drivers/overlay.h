// The overlay driver, for a network over several hosts. On each host it is a bridge network whose
// bridge has a VXLAN device as an additional port (network/kernel/tunnels/vxlan.h).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "network/api/driver.h"
#include "network/api/store_mark.h"
#include "network/drivers/bridge.h"
#include "network/kernel/links/links.h"
#include "network/kernel/tunnels/vxlan.h"

namespace fairlead::network {

// Called with the id of a network whose VXLAN device was made, or made again, and so lacks entries.
// The call comes from within the driver's method that made the device.
using OnTunnelMade = std::function<void(const std::string& network_id)>;

// `links` and `tunnels` must outlive the driver. The driver makes the device, but not its entries
// for remote containers: those are set by the agent, which knows them (Tunnels::apply and
// Tunnels::sync on overlay_device()), and `on_tunnel_made` tells it when they have to be set again.
// `mark` names the store to which the links belong; it is written into their alias.
// `boot_id` and `before_forwarding` as for make_bridge_driver().
std::unique_ptr<Driver> make_overlay_driver(kernel::Links& links, kernel::Tunnels& tunnels,
                                            std::string boot_id, OnTunnelMade on_tunnel_made = {},
                                            StoreMark mark = {},
                                            BeforeForwarding before_forwarding = {});

}  // namespace fairlead::network
