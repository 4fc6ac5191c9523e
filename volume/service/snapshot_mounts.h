// Shows snapshots, read-only, and counts what runtimes say about it (mount_hints.h). What keeps a
// snapshot from being removed is the kernel's word, not the counts.
#pragma once

#include "volume/service/changes.h"

namespace fairlead::volume {

// The client under which a volume that shows a snapshot (`snapshot=`) mounts it.
inline constexpr const char* kViewClient = "volume";

class SnapshotMounts {
 public:
  SnapshotMounts(LockedVolumes& volumes, Changes& changes) : volumes_(volumes), changes_(changes) {}

  // kOnce: however often it is called, one count is kept, and one call takes it back.
  enum class Count { kEach, kOnce };

  Result<SnapshotView> mount(const std::string& name, const std::string& snapshot,
                             const std::string& client, const std::string& id,
                             Count how = Count::kEach);
  Status unmount(const std::string& name, const std::string& snapshot, const std::string& client,
                 const std::string& id);
  Result<SnapshotView> inspect(const std::string& name, const std::string& snapshot);

  // Unmounts those that no runtime has counted and nobody uses.
  Status tidy(const Volume& seen);

  // --- for other verbs, which hold the lock of the volume

  // kInUse while somebody has the snapshot mounted, or a runtime was told a moment ago where it is;
  // otherwise nothing of it is mounted afterwards.
  Status release(const OpenVolume& opened, const Snapshot& snapshot);

 private:
  LockedVolumes& volumes_;
  Changes& changes_;
};

// kInUse while somebody has a snapshot of the volume mounted.
Status refuse_mounted_snapshots(Backend& backend, const Volume& volume);

}  // namespace fairlead::volume
