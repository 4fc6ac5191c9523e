// The one list of volume backends. A new backend needs a pair of files in this folder and a line in
// backends_of_host or backends_of_pool.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "volume/api/backend.h"
#include "volume/api/pools.h"
#include "volume/backends/bind_roots.h"

namespace fairlead::volume {

struct BackendSettings {
  std::string volume_dir;  // absolute: /var/lib/fairlead/volumes
  RootList bind_roots;     // see bind_roots.h
};

// The records and file systems of pools: both or neither. Without them a volume in a pool is
// kUnsupported.
struct PoolSide {
  PoolCatalog* catalog = nullptr;
  PoolDisks* disks = nullptr;
};

// The backends of this host, in the volume folder and in its pools. Nothing on disk is touched yet;
// a pool is mounted when a volume in it is looked for. Thread-safe. Must outlive the service that
// uses it, and what is borrowed must outlive it.
//
// Without backend= the file system decides: btrfs where it is btrfs; else image when a limit (or
// something else that only an image has) is asked for; else dir.
std::unique_ptr<BackendRegistry> make_backends(BackendSettings settings, PoolSide pools = {});
inline std::unique_ptr<BackendRegistry> make_backends(const std::string& volume_dir) {
  return make_backends(BackendSettings{volume_dir, {}});
}

}  // namespace fairlead::volume
