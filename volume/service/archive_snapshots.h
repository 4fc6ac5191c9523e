// The snapshots that exports and backups read from, and that are dropped when their reader ends.
#pragma once

#include <string>
#include <vector>

#include "volume/api/service.h"

namespace fairlead::volume {

// The lock that is held by whoever reads the present content of the volume. It is taken before the
// other locks of the volume.
std::string archive_lock_of(const Volume& volume);

// Drops the snapshots that a killed export or backup left, and returns their names. The caller
// holds that lock.
Result<std::vector<std::string>> drop_archive_leftovers(VolumeService& service,
                                                        const Volume& volume);

}  // namespace fairlead::volume
