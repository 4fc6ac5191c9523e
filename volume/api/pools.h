// What stands between the pools' records (volume/service) and their file systems (volume/backends):
// neither side sees the other.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "volume/api/types.h"

namespace fairlead::volume {

// The records of pools. Thread-safe.
class PoolCatalog {
 public:
  virtual ~PoolCatalog() = default;
  // A finished pool; kNotFound with a hint when there is none.
  virtual Result<VolumePool> find(const std::string& name) = 0;
  virtual Result<std::vector<VolumePool>> finished() = 0;
};

// The file systems of pools. Thread-safe; several processes may work on the same pool at once, but
// for make(), discard() and grow(), which are called under the lock of the pool. Every verb is
// idempotent. `name`, `id`, `fstype` and `device` of a pool are looked at.
class PoolDisks {
 public:
  virtual ~PoolDisks() = default;

  // Refuses what cannot be made here, before anything is stored: kUnsupported for a file system or
  // a tool that this host does not have, kInvalid for too small a size, kInUse for a mounted
  // device, kConflict for one that holds something, unless `overwrite`.
  virtual Status validate(const PoolSpec& spec) = 0;
  // A new, empty pool; what an earlier call left is made anew. `size`: of the file.
  virtual Status make(const VolumePool& pool, std::uint64_t size) = 0;
  // Nothing is left of it: the file is removed, a device loses its signature. kInUse while
  // somebody has it mounted.
  virtual Status discard(const VolumePool& pool) = 0;

  // Mounts it, unless it is, and returns the absolute path of its tree (pool_folder.h).
  virtual Result<std::string> mount(const VolumePool& pool) = 0;
  // Where it is mounted, or would be.
  virtual std::string root_of(const VolumePool& pool) const = 0;
  virtual Result<bool> is_mounted(const VolumePool& pool) = 0;

  // `size` 0: all of the device, or of the file as it is. kUnsupported for a smaller size.
  virtual Status grow(const VolumePool& pool, std::uint64_t size) = 0;
  // With `size`, `used` and `health` filled, as far as that needs no mount().
  virtual VolumePool look_at(const VolumePool& pool) = 0;
  // How many volumes, half-built ones and trash are in it. Mounts it.
  virtual Result<std::size_t> entries_in(const VolumePool& pool) = 0;

  // Reports folders of pools that `is_known` denies, and leaves them alone.
  virtual ReconcileReport sweep(
      const std::function<Result<bool>(const std::string& id)>& is_known) = 0;
};

}  // namespace fairlead::volume
