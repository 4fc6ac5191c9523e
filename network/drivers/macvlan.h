// The macvlan driver: each endpoint is an interface of its own on the segment of one interface of
// the host, the parent (drivers/net/macvlan.c). There is no bridge, nothing of a container is in the
// host, and its packets do not pass the host's firewall: the containers are hosts of that network.
//
// The host itself cannot speak to them through the parent, which is macvlan's nature.
//
//   mode=macvlan
//   parent=IFACE            of the host; needed. BASE.ID is made where it is missing (parent_driver.h)
//   macvlan_mode=MODE       bridge (default), private, vepa, passthru
#pragma once

#include <memory>

#include "network/api/driver.h"
#include "network/api/store_mark.h"
#include "network/kernel/links/links.h"

namespace fairlead::network {

// `links` must outlive the driver. `mark` is written into the alias of VLANs that it makes. `boot_id` is that of this boot (base/host.h).
std::unique_ptr<Driver> make_macvlan_driver(kernel::Links& links, std::string boot_id,
                                            StoreMark mark = {});

}  // namespace fairlead::network
