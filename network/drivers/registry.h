// All drivers; each has one line in registry.cpp.
#pragma once

#include <string>

#include "network/api/driver.h"
#include "network/drivers/overlay.h"
#include "network/kernel/links/links.h"
#include "network/kernel/tunnels/vxlan.h"

namespace fairlead::network {

// What drivers work with. `links` and `tunnels` must outlive the drivers.
struct DriverParts {
  kernel::Links& links;
  kernel::Tunnels& tunnels;
  std::string boot_id;  // base/host.h
  OnTunnelMade on_tunnel_made{};
  StoreMark mark{};  // of the store to which the links belong
  BeforeForwarding before_forwarding{};
};

Drivers make_drivers(const DriverParts& parts);

}  // namespace fairlead::network
