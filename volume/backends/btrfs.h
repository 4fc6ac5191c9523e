// The backend `btrfs`: vol/<id>/fs is a subvolume with `_data` in it. Snapshots are read-only
// subvolumes vol/<id>/snapshots/<snapshot id>. Snapshots and clones take milliseconds, whatever the
// size. The root has to be on btrfs: the volume folder itself, or a pool.
//
// A size is a quota of the subvolume (btrfs_quota.h): writing past it fails with EDQUOT, and
// statfs(2) reports the file system, not the limit. With simple quotas, what a clone shares with
// its source is charged to the source.
//
// Containers can create subvolumes inside their volume (Docker or Podman in a container, Ceph).
// With simple quotas the limit holds for those too, and snapshots, clones and roll-backs take them
// along, all of one moment (btrfs_tree.h). With full quotas (before kernel 6.7), and for more than
// btrfs::kMostInTree of them, those verbs are refused with the names.
#pragma once

#include <memory>
#include <string>

#include "volume/api/backend.h"

namespace fairlead::volume {

// `root` is the absolute path of a pool's tree (volume_tree.h). Nothing is touched yet.
std::unique_ptr<Backend> make_btrfs_backend(std::string root);

}  // namespace fairlead::volume
