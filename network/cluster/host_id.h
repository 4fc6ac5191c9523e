// The host's identity in the cluster.
#pragma once

#include <string>

#include "base/result.h"

namespace fairlead::network::cluster {

// The 32 hex digits in <folder>/host-id, made at random (0600, on disk before this returns) when
// the file is not there. Two processes that make it at once agree on one. kInvalid when the file
// holds something else: it is not guessed at, because a new id would leave the old one's addresses
// behind.
Result<std::string> load_or_make_host_id(const std::string& folder);

}  // namespace fairlead::network::cluster
