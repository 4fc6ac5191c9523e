// Makes the snapshots that are due by the schedules of volumes, and removes old ones (schedule.h).
#pragma once

#include "volume/service/snapshots.h"

namespace fairlead::volume {

class Schedules {
 public:
  Schedules(LockedVolumes& volumes, Changes& changes, Snapshots& snapshots)
      : volumes_(volumes), changes_(changes), snapshots_(snapshots) {}

  Result<ReconcileReport> keep();

 private:
  Status follow(const Volume& seen, ReconcileReport& report);

  LockedVolumes& volumes_;
  Changes& changes_;
  Snapshots& snapshots_;
};

}  // namespace fairlead::volume
