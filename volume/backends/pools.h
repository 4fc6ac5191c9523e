// The file systems of pools, in a sparse file on a loop device or on a block device.
//
//   <volume_dir>/pools/          0700
//     <id>/                      0700
//       pool.json                its record, to write it again when the store is lost: {"format":1,
//                                "name":"fast","id":"3f…","fstype":"btrfs","device":"",
//                                "size":21474836480,"created":1767225600}
//       pool.img                 0600, of a pool in a file: btrfs or xfs, its UUID is the pool's id
//       fs/                      the mount point, immutable: nothing can be written beneath the
//                                mount by mistake; what is in it: volume_tree.h
//
// A pool is mounted by its UUID: another disk that got the same name meanwhile is refused.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "volume/api/pools.h"

namespace fairlead::volume {

// `volume_dir` is the absolute path of the volume folder; pools are made on the devices of
// `device_roots` (device_roots.h). Nothing is touched yet.
std::unique_ptr<PoolDisks> make_pool_disks(std::string volume_dir,
                                           std::vector<std::string> device_roots);

}  // namespace fairlead::volume
