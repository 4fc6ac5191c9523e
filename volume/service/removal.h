// Removes volumes, and what crashes left of volumes.
#pragma once

#include "volume/service/locked_volumes.h"
#include "volume/service/reaper.h"

namespace fairlead::volume {

class Removal {
 public:
  explicit Removal(LockedVolumes& volumes) : volumes_(volumes) {}

  Status remove(const std::string& name);

  // --- for other verbs, which hold the lock of the volume

  // What an unfinished create or removal left under a name.
  Status clear_leftovers(const Stored& stored);
  // Undoes an unfinished create.
  Status abandon(const Volume& volume);
  // Goes on from the intent, which is on the disk.
  Status finish(const Stored& stored, Backend& backend);
  // Removes the data of volumes that have no record any more but that in volume-going/. What cannot
  // be removed, or is still mounted, stays for another time.
  ReconcileReport finish_going(const std::vector<Volume>& volumes, const StopRequest& stop);

 private:
  Result<bool> try_remove(const VolumeName& name, bool may_wait);
  Result<LockedVolumes::Guard> refuse_used(const Stored& stored, Backend& backend);
  Status begin(Stored& stored, Backend& backend);
  Status let_go(Stored& stored, Backend& backend);
  Status flush_move(const Volume& volume);
  Result<TrashState> purge_going(const Volume& volume, const StopRequest& stop);
  void finish_behind(const std::vector<Volume>& volumes, const StopRequest& stop);

  LockedVolumes& volumes_;
  Reaper reaper_{[this](const std::vector<Volume>& volumes, const StopRequest& stop) {
    finish_behind(volumes, stop);
  }};
};

}  // namespace fairlead::volume
