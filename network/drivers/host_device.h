// The host-device driver: a network is one interface of the host, which one container at a time has
// in its own namespace, whole: a network card, a virtual function, a tap. When the container goes,
// it comes back to the host under its name, with its addresses and its state.
//
// The kernel itself returns a card to the host when the container's namespace ends, under the name
// that it had there; virtual interfaces end with the namespace (net/core/dev.c,
// default_device_exit_net).
//
//   mode=host-device
//   parent=IFACE            of the host; or, in its place:
//   parent_mac=MAC          the card's own MAC address, or that of any one interface
//   parent_pci=ADDRESS      "0000:03:00.1"; what `sysfs` shows of it
//
// By the latter two it is looked up at each attach, and given back under the name that it had then.
#pragma once

#include <memory>
#include <string>

#include "network/api/driver.h"
#include "network/kernel/links/links.h"

namespace fairlead::network {

// As make_macvlan_driver().
std::unique_ptr<Driver> make_host_device_driver(kernel::Links& links, std::string boot_id,
                                                std::string sysfs = "/sys");

}  // namespace fairlead::network
