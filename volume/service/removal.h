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

 private:
  Result<bool> try_remove(const VolumeName& name, bool may_wait);
  Status begin(Stored& stored, Backend& backend);

  LockedVolumes& volumes_;
  Reaper reaper_;
};

}  // namespace fairlead::volume
