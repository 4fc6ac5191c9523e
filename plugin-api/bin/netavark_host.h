// What netavark's protocol needs of the host, for the daemon and for the program without it.
#pragma once

#include "base/result.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/netavark/adapter.h"

namespace fairlead {

// `core` must outlive the result.
netavark::Services netavark_services(Core& core);

// Brings up the interface `lo` of the namespace, as netavark does for every container.
Status bring_up_loopback(int netns_fd);

}  // namespace fairlead
