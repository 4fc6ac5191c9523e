// Where snapshots are mounted to be looked at, below the folder of their volume:
//
//   vol/<id>/views/<snapshot id>/_data    a read-only mount of the snapshot's folder, or
//   vol/<id>/views/<snapshot id>/         the mount of a file system that has the folder _data
//
// The folders are there only while they are mounted, so that whoever comes too late finds no empty
// folder in the place of the data.
#pragma once

#include <string>
#include <vector>

#include "volume/kernel/folder.h"
#include "volume/kernel/mount.h"
#include "volume/kernel/mount_scan.h"

namespace fairlead::volume::snapshot_views {

inline constexpr const char* kFolder = "views";

// The path of the data; `volume` is the path of the folder vol/<id>.
std::string path_of(const std::string& volume, const std::string& snapshot_id);
// Makes the folder views/, in which the snapshot's mount point is to be. kInternal for an id that
// is none.
Result<Folder> prepare(const Folder& volume, const std::string& snapshot_id);
// The ids of those that are mounted, or were before a crash.
Result<std::vector<std::string>> ids(const Folder& volume);
// Unmounts one and removes its mount point. Succeeds when it is not there.
Status remove(const Folder& volume, const std::string& snapshot_id, Unmount how);
Status remove_all(const Folder& volume, Unmount how);

}  // namespace fairlead::volume::snapshot_views
