// All drivers; each has one line in registry.cpp.
#pragma once

#include "network/api/driver.h"
#include "network/drivers/overlay.h"
#include "network/kernel/links/links.h"
#include "network/kernel/tunnels/vxlan.h"

namespace fairlead::network {

// `links` and `tunnels` must outlive the drivers. `mark` names the store to which the links belong.
Drivers make_drivers(kernel::Links& links, kernel::Tunnels& tunnels,
                     OnTunnelMade on_tunnel_made = {}, StoreMark mark = {});

}  // namespace fairlead::network
