// The snapshots that exports and backups read from: they go with their reader.
#pragma once

#include <string>
#include <vector>

#include "volume/api/service.h"

namespace fairlead::volume {

// Of whoever reads the content of now; taken before the other locks of the volume.
std::string archive_lock_of(const Volume& volume);

// Under that lock: drops what a killed export or backup left, and returns the names.
Result<std::vector<std::string>> drop_archive_leftovers(VolumeService& service,
                                                        const Volume& volume);

}  // namespace fairlead::volume
