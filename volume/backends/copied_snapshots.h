// Snapshots of a plain folder, by copying it: below vol/<id>/snapshots/<snapshot id>/_data. What
// the file system can share (xfs, btrfs) is not copied.
#pragma once

#include <string>

#include "volume/api/types.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {

// Fills the empty folder `to` with the content of `from` and flushes it; `progress` in bytes.
Status copy_data(const Folder& from, const Folder& to, const Progress& progress);

// `volume` is the folder vol/<id>, at rest, under its lock.
namespace copied {

Status take(const Folder& volume, const std::string& snapshot, const Progress& progress);
Status drop(const Folder& volume, const std::string& snapshot);
Result<Folder> open(const Folder& volume, const std::string& snapshot);  // its _data

// _data becomes a copy of the snapshot, and what it was becomes the snapshot `kept`. Called again
// after a crash it finishes.
Status roll_back(const Folder& volume, const std::string& snapshot, const std::string& kept,
                 const Progress& progress);

}  // namespace copied

}  // namespace fairlead::volume
