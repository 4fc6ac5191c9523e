// The ipvlan driver: each endpoint is an interface on the segment of one interface of the host, the
// parent, with addresses of its own and the parent's MAC (drivers/net/ipvlan): for switches, clouds
// and wireless networks that pass one MAC only. As with macvlan, the host itself cannot speak to the
// containers through the parent.
//
//   mode=ipvlan
//   parent=IFACE         of the host; needed
//   ipvlan_mode=MODE     l2 (default), l3, l3s; one for all networks of a parent
//   ipvlan_flag=FLAG     bridge (default), private, vepa; one for all networks of a parent
#pragma once

#include <memory>
#include <string>

#include "network/api/driver.h"
#include "network/api/store_mark.h"
#include "network/kernel/links/links.h"

namespace fairlead::network {

// As make_macvlan_driver().
std::unique_ptr<Driver> make_ipvlan_driver(kernel::Links& links, std::string boot_id,
                                           StoreMark mark = {});

}  // namespace fairlead::network
