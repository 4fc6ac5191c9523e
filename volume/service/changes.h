// Changes of a ready volume: the intent is committed, the backend acts, the result is committed. A
// change that a crash left open in between is finished (resize, drop, rollback) or undone (a
// snapshot, which was reported to nobody) by whoever settles the volume.
#pragma once

#include <functional>
#include <vector>

#include "volume/service/locked_volumes.h"

namespace fairlead::volume {

// The caller of each verb holds the lock of the volume.
class Changes {
 public:
  explicit Changes(LockedVolumes& volumes) : volumes_(volumes) {}

  Status make(OpenVolume& opened, const Change& change, const Progress& progress);
  // Several changes, one of each volume: all intents are one commit, and all results are one. All
  // volumes and changes outlive the call.
  struct Step {
    OpenVolume* opened;
    Change change;
  };
  // `act` makes all of the changes, or none; they are snapshots.
  Status take_together(const std::vector<Step>& steps, const std::function<Status()>& act);
  // One after the other, up to the first that fails. `done`: how many are made and
  // in the store.
  Status make_each(const std::vector<Step>& steps, const Progress& progress, std::size_t& done);
  // Finishes or undoes what a crash left open. Fails when it can be neither.
  Status settle(OpenVolume& opened);
  // Brings to the disk what a create has left to be flushed later. Called before the volume is
  // given to anybody who writes to it. Returns whether it had to be made again.
  Result<bool> settle_data(OpenVolume& opened);
  // LockedVolumes::open() of a volume that is settled, in both ways.
  Result<OpenVolume> open(const VolumeName& name);

 private:
  Status act(OpenVolume& opened, const Change& change, const Progress& progress);
  void take_back(OpenVolume& opened, const Change& change, const Error& cause);
  Status commit_together(const std::vector<Step>& steps);
  Status roll_back(OpenVolume& opened, const Change& change, const Progress& progress);
  void keep_size(OpenVolume& opened, const Snapshot& snapshot);

  LockedVolumes& volumes_;
};

}  // namespace fairlead::volume
