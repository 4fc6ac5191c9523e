// The overlay driver: a network that is the same on several hosts. On each of them it is a bridge
// network, whose bridge has a VXLAN device as one more port (network/kernel/vxlan.h).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "network/api/driver.h"
#include "network/api/store_mark.h"
#include "network/kernel/links.h"
#include "network/kernel/vxlan.h"

namespace fairlead::network {

// Told the id of a network whose device was made, or made anew: it holds no entries. From within
// the verb that made it.
using OnTunnelMade = std::function<void(const std::string& network_id)>;

// `links` and `tunnels` must outlive the driver. The driver makes the device; the entries of the
// remote containers are set by whoever knows them (Tunnels::apply, Tunnels::sync on
// overlay_device()), and who that is is told when they have to be set again. `mark`: whose the
// links are.
std::unique_ptr<Driver> make_overlay_driver(kernel::Links& links, kernel::Tunnels& tunnels,
                                            OnTunnelMade on_tunnel_made = {}, StoreMark mark = {});

}  // namespace fairlead::network
