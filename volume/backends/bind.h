// The backend `bind`: a folder of the host, beneath one of the folders that the configuration
// allows. It is mounted at vol/<id>/mnt/_data, through the descriptor that was checked. The data
// belongs to the host: removing the volume keeps it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "volume/api/backend.h"
#include "volume/backends/bind_roots.h"

namespace fairlead::volume {

// `root` is the absolute path of a pool's tree (volume_tree.h), `bind_roots` as in bind_roots.h.
std::unique_ptr<Backend> make_bind_backend(std::string root, RootList bind_roots);

}  // namespace fairlead::volume
