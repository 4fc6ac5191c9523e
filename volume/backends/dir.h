// The backend `dir`: a folder of the host's file system. Nothing is mounted, the runtime binds
// `_data` itself; but with access=read-only, idmap= or flags in o=, what is handed out is a second
// mount of it (mount_view.h). Snapshots and clones are copies, which share blocks where the file
// system can; they are made while no container has the volume mounted, for a copy takes its time.
#pragma once

#include <memory>
#include <string>

#include "volume/api/backend.h"

namespace fairlead::volume {

// `root` is the absolute path of the volume folder (see volume_tree.h); it is made when the first
// volume needs it. Refuses a size: a folder has no limit of its own.
std::unique_ptr<Backend> make_dir_backend(std::string root);

}  // namespace fairlead::volume
