#include "network/drivers/registry.h"

#include "network/drivers/bridge.h"
#include "network/drivers/host_device.h"
#include "network/drivers/ipvlan.h"
#include "network/drivers/macvlan.h"
#include "network/drivers/routed.h"

namespace fairlead::network {

Drivers make_drivers(const DriverParts& parts) {
  Drivers drivers;
  drivers.emplace("bridge", make_bridge_driver(parts.links, parts.tunnels, parts.boot_id, {},
                                               parts.mark, parts.before_forwarding));
  drivers.emplace("overlay",
                  make_overlay_driver(parts.links, parts.tunnels, parts.boot_id,
                                      parts.on_tunnel_made, parts.mark, parts.before_forwarding));
  drivers.emplace("routed", make_routed_driver(parts.links, parts.tunnels, parts.boot_id,
                                               parts.mark, parts.before_forwarding));
  drivers.emplace("macvlan", make_macvlan_driver(parts.links, parts.boot_id, parts.mark));
  drivers.emplace("host-device", make_host_device_driver(parts.links, parts.boot_id));
  drivers.emplace("ipvlan", make_ipvlan_driver(parts.links, parts.boot_id, parts.mark));
  return drivers;
}

}  // namespace fairlead::network
