// Makes and removes snapshots, and goes back to them.
#pragma once

#include "volume/service/changes.h"
#include "volume/service/snapshot_mounts.h"

namespace fairlead::volume {

class Snapshots {
 public:
  Snapshots(LockedVolumes& volumes, Changes& changes, SnapshotMounts& mounts)
      : volumes_(volumes), changes_(changes), mounts_(mounts) {}

  Result<Snapshot> take(const std::string& name, const std::string& snapshot,
                        const Progress& progress);
  Result<Snapshot> take_for_archive(const std::string& name);
  Status drop(const std::string& name, const std::string& snapshot);
  Result<Snapshot> roll_back(const std::string& name, const std::string& snapshot,
                             const Progress& progress);

  // --- for other verbs, which hold the lock of the volume
  Result<Snapshot> take_of(OpenVolume& opened, const SnapshotName& name, SnapshotOrigin origin,
                           const Progress& progress);
  Status drop_of(OpenVolume& opened, const Snapshot& snapshot);

 private:
  LockedVolumes& volumes_;
  Changes& changes_;
  SnapshotMounts& mounts_;
};

}  // namespace fairlead::volume
