// Counts mounts as the runtimes do. Docker's (name, id) is a multiset: `docker cp` mounts again
// with the id of the running container and unmounts once. Podman uses one constant id for all
// containers. Both are kept here as (client, id) -> count. The counts never decide whether a volume
// is in use.
#pragma once

#include <string>
#include <vector>

#include "volume/api/types.h"

namespace fairlead::volume {

// kInvalid for texts that a record cannot hold.
Status check_hint(const std::string& client, const std::string& id);

// Counts one more mount. Beyond 1,024 counts the oldest are dropped, because runtimes do not take
// back all of them.
void count_up(std::vector<MountHint>& mounts, const std::string& client, const std::string& id);

// Counts one mount less; returns false when there was none.
bool count_down(std::vector<MountHint>& mounts, const std::string& client, const std::string& id);

bool is_counted(const std::vector<MountHint>& mounts, const std::string& client,
                const std::string& id);

// Drops all counts but those of (client, id).
void drop_others(std::vector<MountHint>& mounts, const std::string& client, const std::string& id);

// Whether a verb may go on although its count could not be stored: on a full disk, because counts
// are hints only. Logs that.
bool may_go_uncounted(const Volume& volume, const Error& error);

}  // namespace fairlead::volume
