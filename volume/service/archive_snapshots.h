// The snapshots that exports and backups read from, and that are dropped when their reader ends.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "volume/api/types.h"

namespace fairlead::volume {

// The lock that is held by whoever reads the present content of the volume. It is taken before the
// other locks of the volume.
std::string archive_lock_of(const Volume& volume);

// Drops a snapshot by the names of its volume and its own.
using DropSnapshot = std::function<Status(const std::string& volume, const std::string& snapshot)>;

// Drops the snapshots that a killed export or backup left, and returns their names. The caller
// holds that lock.
Result<std::vector<std::string>> drop_archive_leftovers(const Volume& volume,
                                                        const DropSnapshot& drop);

}  // namespace fairlead::volume
