// Which drivers there are: one line each.
#pragma once

#include "network/api/driver.h"
#include "network/kernel/links.h"

namespace fairlead::network {

// `links` must outlive the drivers.
Drivers make_drivers(kernel::Links& links);

}  // namespace fairlead::network
