// The backend `btrfs`: vol/<id>/fs is a subvolume with `_data` in it. Snapshots are read-only
// subvolumes vol/<id>/snapshots/<snapshot id>; snapshots and clones take milliseconds, whatever the
// size. Needs its root on btrfs: the volume folder itself, or a pool.
//
// A size is a quota of the subvolume (btrfs_quota.h): writing past it fails with EDQUOT, and
// statfs(2) shows the file system and not the limit. With simple quotas what a clone shares with
// its source is charged to the source.
//
// Containers can make subvolumes inside their volume (Docker or Podman in a container, Ceph). With
// simple quotas the limit holds for those too. A snapshot of btrfs shows them as empty folders: so
// whatever is made of one (snapshots, clones, roll-backs) is refused with their names while there
// are some, and so is dropping a snapshot that has the only copy. kConflict.
#pragma once

#include <memory>
#include <string>

#include "volume/api/backend.h"

namespace fairlead::volume {

// `root` is the absolute path of a pool's tree (volume_tree.h); nothing is touched yet.
std::unique_ptr<Backend> make_btrfs_backend(std::string root);

}  // namespace fairlead::volume
