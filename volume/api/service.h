// VolumeService: the only door to volumes.
#pragma once

#include <string>
#include <vector>

#include "volume/api/types.h"

namespace fairlead::volume {

// Thread-safe; several processes may work on the same state at once. Every verb is idempotent,
// takes the lock of its volume, commits its intent first, and answers in far less than Podman's 5
// s.
class VolumeService {
 public:
  virtual ~VolumeService() = default;

  // The same name with the same options again succeeds; with others it is kConflict and names the
  // difference. Unknown options are kInvalid and name the closest known one.
  virtual Result<Volume> create(const VolumeSpec& spec) = 0;
  // kNotFound when there is none; kInUse while the kernel says that something has it mounted (the
  // text says who).
  virtual Status remove(const std::string& name) = 0;
  // Makes the data available and returns it with `mountpoint` set. One call more of the same
  // (client, id) counts one more.
  virtual Result<Volume> mount(const std::string& name, const std::string& client,
                               const std::string& id) = 0;
  virtual Status unmount(const std::string& name, const std::string& client,
                         const std::string& id) = 0;  // unknown: succeeds
  virtual Result<Volume> inspect(const std::string& name) = 0;
  virtual Result<std::vector<Volume>> list() = 0;
  // Never fails for a known volume: trouble is told in `health`.
  virtual Result<VolumeStatus> status(const Volume& volume) = 0;
  virtual Result<ReconcileReport> reconcile() = 0;
};

}  // namespace fairlead::volume
