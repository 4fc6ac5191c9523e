#include "network/drivers/registry.h"

#include "network/drivers/bridge.h"
#include "network/drivers/overlay.h"

namespace fairlead::network {

Drivers make_drivers(kernel::Links& links, kernel::Tunnels& tunnels) {
  Drivers drivers;
  drivers.emplace("bridge", make_bridge_driver(links));
  drivers.emplace("overlay", make_overlay_driver(links, tunnels));
  return drivers;
}

}  // namespace fairlead::network
