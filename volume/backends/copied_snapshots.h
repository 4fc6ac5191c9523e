// Snapshots of a plain folder, made by copying it to vol/<id>/snapshots/<snapshot id>/_data. Blocks
// are shared instead of copied where the file system can (xfs, btrfs).
#pragma once

#include <string>

#include "volume/api/types.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {

// Fills the empty folder `to` with the content of `from` and flushes it. `progress` counts bytes.
Status copy_data(const Folder& from, const Folder& to, const Progress& progress);

// `volume` is the folder vol/<id> of a volume that nobody has mounted. The caller holds the
// volume's lock.
namespace copied {

Status take(const Folder& volume, const std::string& snapshot, const Progress& progress);
Status drop(const Folder& volume, const std::string& snapshot);
// the _data of the snapshot
Result<Folder> open(const Folder& volume, const std::string& snapshot);

// Replaces _data by a copy of the snapshot, and keeps the replaced folder as the snapshot `kept`.
// Called again after a crash it finishes the work.
Status roll_back(const Folder& volume, const std::string& snapshot, const std::string& kept,
                 const Progress& progress);

}  // namespace copied

}  // namespace fairlead::volume
