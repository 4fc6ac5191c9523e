// The backend `dir`: a folder of the host's file system. Nothing is mounted and the runtime binds
// `_data` itself, except that with access=read-only, idmap= or flags in o= a second mount of it is
// handed out (mount_view.h). Snapshots and clones are copies, which share blocks where the file
// system can. They are made only while no container has the volume mounted, because a copy takes
// time.
#pragma once

#include <memory>
#include <string>

#include "volume/api/backend.h"

namespace fairlead::volume {

// `root` is the absolute path of the volume folder (see volume_tree.h), which is created when the
// first volume needs it. Refuses a size, because a folder has no limit of its own.
std::unique_ptr<Backend> make_dir_backend(std::string root);

}  // namespace fairlead::volume
