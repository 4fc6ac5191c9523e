// The overlay driver: a network that is the same on several hosts. On each of them it is a bridge
// network, whose bridge has a VXLAN device as one more port (network/kernel/vxlan.h).
#pragma once

#include <memory>

#include "network/api/driver.h"
#include "network/kernel/links.h"
#include "network/kernel/vxlan.h"

namespace fairlead::network {

// `links` and `tunnels` must outlive the driver. The driver makes the device; the entries of the
// remote containers are set by whoever knows them (Tunnels::apply, Tunnels::sync on
// overlay_device()), again after ensure() has made the device anew.
std::unique_ptr<Driver> make_overlay_driver(kernel::Links& links, kernel::Tunnels& tunnels);

}  // namespace fairlead::network
