// The bridge driver: one Linux bridge per network, one veth pair per endpoint.
#pragma once

#include <memory>

#include "network/api/driver.h"
#include "network/api/store_mark.h"
#include "network/kernel/links/links.h"

namespace fairlead::network {

// `links` must outlive the driver. `ports` are the flags of every endpoint's bridge port, except
// hairpin and isolated, which follow from the network and the endpoint. `mark` names the store to
// which the bridges belong; it is written into their alias.
std::unique_ptr<Driver> make_bridge_driver(kernel::Links& links, kernel::PortFlags ports = {},
                                           StoreMark mark = {});

}  // namespace fairlead::network
