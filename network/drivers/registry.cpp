#include "network/drivers/registry.h"

#include "network/drivers/bridge.h"

namespace fairlead::network {

Drivers make_drivers(kernel::Links& links, kernel::Tunnels& tunnels, OnTunnelMade on_tunnel_made,
                     StoreMark mark) {
  Drivers drivers;
  drivers.emplace("bridge", make_bridge_driver(links, {}, mark));
  drivers.emplace("overlay",
                  make_overlay_driver(links, tunnels, std::move(on_tunnel_made), std::move(mark)));
  return drivers;
}

}  // namespace fairlead::network
