// The bridge driver: one Linux bridge per network, one veth pair per endpoint.
#pragma once

#include <memory>

#include "network/api/driver.h"
#include "network/api/store_mark.h"
#include "network/kernel/links.h"

namespace fairlead::network {

// `links` must outlive the driver. `ports`: what the port of every endpoint is like, apart from
// hairpin and isolated, which follow from the network and the endpoint. `mark`: whose the bridges
// are.
std::unique_ptr<Driver> make_bridge_driver(kernel::Links& links, kernel::PortFlags ports = {},
                                           StoreMark mark = {});

}  // namespace fairlead::network
