// The interfaces between the records of pools (volume/service) and their file systems
// (volume/backends), so that neither side includes the other.
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
  // Finds a pool that is completely created; kNotFound with a hint when there is none.
  virtual Result<VolumePool> find(const std::string& name) = 0;
  virtual Result<std::vector<VolumePool>> finished() = 0;
  // The pools that lie on the disk without any record.
  virtual Result<std::vector<VolumePool>> lost() { return std::vector<VolumePool>(); }
};

// The file systems of pools. Thread-safe. Several processes may work on the same pool at once,
// except that make(), discard() and grow() are called under the lock of the pool. Every verb is
// idempotent and reads only `name`, `id`, `fstype` and `device` of the pool.
class PoolDisks {
 public:
  virtual ~PoolDisks() = default;

  // Refuses, before anything is stored, what cannot be created here: kUnsupported for a file system
  // or a tool that this host does not have, kInvalid for too small a size, kInUse for a mounted
  // device, kConflict for a device that is not empty, unless `overwrite` is set.
  virtual Status validate(const PoolSpec& spec) = 0;
  // Creates a new, empty pool. What an earlier call left is created anew. `size` is the size of the
  // file.
  virtual Status make(const VolumePool& pool, std::uint64_t size) = 0;
  // Removes the pool: its file is deleted, or the signature on its device wiped. kInUse while
  // somebody has the pool mounted.
  virtual Status discard(const VolumePool& pool) = 0;

  // Mounts the pool unless it is mounted already, and returns the absolute path of its tree
  // (volume_tree.h).
  virtual Result<std::string> mount(const VolumePool& pool) = 0;
  // The folder on which the pool is mounted, or would be.
  virtual std::string root_of(const VolumePool& pool) const = 0;
  virtual Result<bool> is_mounted(const VolumePool& pool) = 0;

  // `size` 0 means all of the device, or of the file as it is. kUnsupported for a smaller size.
  virtual Status grow(const VolumePool& pool, std::uint64_t size) = 0;
  // Returns the pool with `size`, `used` and `health` filled in as far as that needs no mount().
  virtual VolumePool look_at(const VolumePool& pool) = 0;
  // Goes on with a file system that has stopped because the disk below was full: mounts it anew, once
  // there is room and nobody uses it. Returns whether it did.
  virtual Result<bool> mend(const VolumePool& pool) = 0;
  // The number of volumes, half-built volumes and trash folders in the pool. Mounts it.
  virtual Result<std::size_t> entries_in(const VolumePool& pool) = 0;

  // Keeps beside the pool's file what the record says (pool.json); as Backend::write_down().
  virtual Status write_down(const VolumePool& pool) = 0;
  // What the pool's file promises of the disk below; std::nullopt for one on a device.
  virtual Result<std::optional<Promise>> promise(const VolumePool& pool) = 0;
  virtual Result<DiskRoom> room() = 0;  // of the disk below the files of pools
  // The pools that lie on the disk without a record; `health` holds what could not be read.
  virtual Result<std::vector<VolumePool>> find_lost(
      const std::function<Result<bool>(const std::string& id)>& is_known) = 0;

  // Reports folders of pools for which `is_known` returns false, and leaves them alone.
  virtual ReconcileReport sweep(
      const std::function<Result<bool>(const std::string& id)>& is_known) = 0;
};

}  // namespace fairlead::volume
