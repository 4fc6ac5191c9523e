// The backend `dir`: a folder of the host's file system. Nothing is mounted: the runtime binds
// `_data` itself.
#pragma once

#include <memory>
#include <string>

#include "volume/api/backend.h"

namespace fairlead::volume {

// `root` is the absolute path of the volume folder (see pool_folder.h); it is made when the first
// volume needs it. Has uid, gid, mode, retain. Refuses a size (a folder has no limit of its own)
// and mount options (there is no mount).
std::unique_ptr<Backend> make_dir_backend(std::string root);

}  // namespace fairlead::volume
