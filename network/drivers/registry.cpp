#include "network/drivers/registry.h"

#include "network/drivers/bridge.h"

namespace fairlead::network {

Drivers make_drivers(kernel::Links& links) {
  Drivers drivers;
  drivers.emplace("bridge", make_bridge_driver(links));
  return drivers;
}

}  // namespace fairlead::network
