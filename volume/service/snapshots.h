// Makes and removes snapshots, and goes back to them.
#pragma once

#include <string>

#include "volume/service/changes.h"
#include "volume/service/snapshot_mounts.h"

namespace fairlead::volume {

// A record can hold many more; file systems get slow before that.
inline constexpr std::size_t kMostSnapshots = 2048;
// "2026-01-31T12.00.00": sorts by time, and is a valid name (names may not hold a colon).
std::string name_of_time(long long time);
// Of what a rollback to the snapshot replaces, "before-monday-2026-01-31T12.00.00".
std::string name_of_replaced(const Snapshot& snapshot, long long time);
// A new one, with an id and the volume's limit.
Snapshot snapshot_of(const Volume& volume, const SnapshotName& name, SnapshotOrigin origin,
                     long long now);
Status refuse_one_too_many(const Volume& volume);  // kExhausted

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
  Result<Snapshot> take_locked(const VolumeName& name, const SnapshotName& wanted, bool or_another,
                               const Progress& progress);

  LockedVolumes& volumes_;
  Changes& changes_;
  SnapshotMounts& mounts_;
};

}  // namespace fairlead::volume
