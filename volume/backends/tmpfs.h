// The backend `tmpfs`: memory. The first mount creates the file system, which stays mounted on
// vol/<id>/fs while anybody uses it. As with Docker's own tmpfs volumes, its data is lost with the
// last unmount. Only volume.json is on the disk.
#pragma once

#include <memory>
#include <string>

#include "volume/api/backend.h"

namespace fairlead::volume {

// `root` is the absolute path of a pool's tree (volume_tree.h). Nothing is touched yet.
std::unique_ptr<Backend> make_tmpfs_backend(std::string root);

}  // namespace fairlead::volume
