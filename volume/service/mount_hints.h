// Counting mounts as the runtimes do. Docker's (name, id) is a multiset: `docker cp` mounts again
// with the id of the running container and unmounts once. Podman has one constant id for all
// containers. Both are (client, id) -> count here, and none of it decides whether a volume is in
// use.
#pragma once

#include <string>

#include "volume/api/types.h"

namespace fairlead::volume {

// kInvalid for texts that a record cannot hold.
Status check_hint(const std::string& client, const std::string& id);

// One mount more. Counts that a runtime never took back are forgotten beyond 1,024, the oldest
// first.
void count_up(Volume& volume, const std::string& client, const std::string& id);

// One less; false when there was none.
bool count_down(Volume& volume, const std::string& client, const std::string& id);

// Forgets all but those of (client, id).
void drop_others(Volume& volume, const std::string& client, const std::string& id);

}  // namespace fairlead::volume
