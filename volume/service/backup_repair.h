// Mends a backup folder from what is good in it, and from the volumes that are still there.
#pragma once

#include <functional>

#include "volume/service/backup_folder.h"

namespace fairlead::volume {

// The folder with the present content of the volume that was backed up, borrowed until the next
// call; kNotFound when it is not there any more.
using OpenVolumeOf = std::function<Result<int>(const BackupSummary& backup)>;

// Only files with lost chunks are read, and of those only what is lost; nothing whose digest
// differs is taken. A damaged pack is removed when what is good in it is stored again and on the
// disk. `folder` is open for writing. Killed anywhere, no backup has lost anything that it had.
Result<RepairReport> run_repair(const BackupFolder& folder, const OpenVolumeOf& open_volume,
                                const Progress& progress);

}  // namespace fairlead::volume
