// The host's identity in the cluster.
#pragma once

#include <string>

#include "base/result.h"

namespace fairlead::network::cluster {

// Reads the 32 hex digits in <folder>/host-id. When there is no such file it is made with a random
// id and mode 0600, and is on disk before this returns. Two processes that make it at the same time
// get the same id. kInvalid when the file contains something else: no new id is made then, because
// the addresses of the old one would stay claimed.
Result<std::string> load_or_make_host_id(const std::string& folder);

}  // namespace fairlead::network::cluster
