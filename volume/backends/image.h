// The backend `image`: a file with ext4 or xfs in it, on a loop device. Its size is a hard limit,
// exact to the block, on any host.
//
//   vol/<id>/                   (see volume_tree.h for what is around it)
//     disk.img                  the file system, sparse; its size is the volume's
//     disk.id                   "ext4 <uuid>": an image that holds anything else is not mounted
//     fs/                       where it is mounted; `fs/_data` is what is handed out, so that
//                               lost+found is not seen, and a runtime fills an empty volume
//     snapshots/<id>.img        the images of snapshots, never written again
//     *.part                    files being written; reconcile removes what a crash left
//
// Whoever works on an image holds its lock (kernel/loop.h). After waiting for the lock the image is
// opened again, because a rollback or a resize may have put another file in its place. Rejected: a
// database of what is mounted where, which is wrong after a crash; mount tables and loop devices
// are not.
#pragma once

#include <memory>
#include <string>

#include "volume/api/backend.h"

namespace fairlead::volume {

// `root` is the absolute path of the volume folder or of a pool. A size is required. Supports
// inodes, fstype, uid, gid, mode, retain, mount options (nosuid and nodev unless lifted by suid and
// dev), discard, idmap and access. Snapshots and clones share blocks where the root is on xfs or
// btrfs; elsewhere they are copies, which can be made only while the volume is not mounted.
std::unique_ptr<Backend> make_image_backend(std::string root);

}  // namespace fairlead::volume
