// The backend `image`: a file with ext4 or xfs in it, on a loop device. Its size is a hard limit,
// exact to the block, on any host.
//
//   vol/<id>/                   (see volume_tree.h for what is around it)
//     disk.img                  the file system, sparse; its size is the volume's
//     disk.id                   "ext4 <uuid>": what must be in there, or it is not mounted
//     fs/                       where it is mounted; `fs/_data` is what is handed out, so that
//                               lost+found is not seen, and a runtime fills an empty volume
//     snapshots/<id>.img        images of moments, never written again
//     *.part                    being written; swept away
//
// Whoever works on an image holds its lock (kernel/loop.h), looked up again after a wait since a
// rollback or a resize puts another file in its place. Rejected: a database of what is mounted
// where (after a crash it lies; mount tables and loop devices do not).
#pragma once

#include <memory>
#include <string>

#include "volume/api/backend.h"

namespace fairlead::volume {

// `root` is the absolute path of the volume folder or of a pool. Needs size. Has inodes, fstype,
// uid, gid, mode, retain, mount options (nosuid and nodev unless lifted by suid and dev), discard,
// idmap, access. Snapshots and clones share blocks where the root lies on xfs or btrfs; elsewhere
// they are copies, and need the volume not to be mounted.
std::unique_ptr<Backend> make_image_backend(std::string root);

}  // namespace fairlead::volume
