// One line of the log for each change, in the names that people know:
//
//   attached container web (compose project shop) to network shop: 10.208.0.2, 8080->80/tcp
//   detached container web (compose project shop) from network shop
//
// Both are of level info, which the daemon writes and processes of one verb do not.
#pragma once

#include "network/api/types.h"

namespace fairlead::network {

// Whether the lines are written at all: names need not be looked up otherwise.
bool log_changes();
// `network`: its title.
void log_attached(std::string_view network, const Endpoint& endpoint);
void log_detached(std::string_view network, const Endpoint& endpoint);

}  // namespace fairlead::network
