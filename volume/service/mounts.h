// Mounts and unmounts volumes, and counts what runtimes say about it (mount_hints.h).
#pragma once

#include "volume/service/changes.h"

namespace fairlead::volume {

class Mounts {
 public:
  Mounts(LockedVolumes& volumes, Changes& changes) : volumes_(volumes), changes_(changes) {}

  Result<Volume> mount(const std::string& name, const std::string& client, const std::string& id);
  Status unmount(const std::string& name, const std::string& client, const std::string& id);

 private:
  Status check_single(const OpenVolume& opened, const std::string& client, const std::string& id);
  Status settle(OpenVolume& opened);

  LockedVolumes& volumes_;
  Changes& changes_;
};

}  // namespace fairlead::volume
