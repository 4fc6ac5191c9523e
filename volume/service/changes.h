// Changes of a ready volume: the intent is committed, the backend acts, the result is committed. A
// change that a crash left open in between is finished (resize, drop, rollback) or undone (a
// snapshot, which was reported to nobody) by whoever settles the volume.
#pragma once

#include "volume/service/locked_volumes.h"

namespace fairlead::volume {

// The caller of each verb holds the lock of the volume.
class Changes {
 public:
  explicit Changes(LockedVolumes& volumes) : volumes_(volumes) {}

  Status make(OpenVolume& opened, const Change& change, const Progress& progress);
  // Finishes or undoes what a crash left open. Fails when it can be neither.
  Status settle(OpenVolume& opened);
  // LockedVolumes::open() of a volume that is settled.
  Result<OpenVolume> open(const VolumeName& name);

 private:
  Status act(OpenVolume& opened, const Change& change, const Progress& progress);
  void take_back(OpenVolume& opened, const Change& change, const Error& cause);
  void keep_size(OpenVolume& opened, const Snapshot& snapshot);

  LockedVolumes& volumes_;
};

}  // namespace fairlead::volume
