// Which drivers there are: one line each.
#pragma once

#include "network/api/driver.h"
#include "network/drivers/overlay.h"
#include "network/kernel/links.h"
#include "network/kernel/vxlan.h"

namespace fairlead::network {

// `links` and `tunnels` must outlive the drivers. `mark`: whose the links are.
Drivers make_drivers(kernel::Links& links, kernel::Tunnels& tunnels,
                     OnTunnelMade on_tunnel_made = {}, StoreMark mark = {});

}  // namespace fairlead::network
