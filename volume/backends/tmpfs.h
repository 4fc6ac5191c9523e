// The backend `tmpfs`: memory. The file system is made by the first mount and stands at vol/<id>/fs
// while anybody uses it; as with Docker's own tmpfs volumes, its data goes with the last unmount.
// On the disk is only volume.json.
#pragma once

#include <memory>
#include <string>

#include "volume/api/backend.h"

namespace fairlead::volume {

// `root` is the absolute path of a pool's tree (volume_tree.h); nothing is touched yet.
std::unique_ptr<Backend> make_tmpfs_backend(std::string root);

}  // namespace fairlead::volume
