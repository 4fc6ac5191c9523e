// Makes the snapshots that are due by the schedules of volumes, and removes old ones (schedule.h).
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "volume/service/groups.h"
#include "volume/service/snapshots.h"

namespace fairlead::volume {

class Schedules {
 public:
  Schedules(LockedVolumes& volumes, Changes& changes, Snapshots& snapshots, Groups& groups)
      : volumes_(volumes), changes_(changes), snapshots_(snapshots), groups_(groups) {}

  // Volumes side by side, so that a hook that takes its time holds up its own volume alone.
  Result<ReconcileReport> keep();

 private:
  // What is done together: volumes with the same label "group" of which the same is due, or one.
  struct Unit {
    std::string label;  // empty: one volume
    std::string make;   // name of the snapshot that is due; empty: only old ones go
    std::vector<Volume> volumes;
  };
  Result<std::vector<Unit>> due();
  std::vector<Unit> units_of(const std::vector<Stored>& all);
  void keep(const Unit& unit, ReconcileReport& report);
  bool take_together(const Unit& unit, ReconcileReport& report);
  Status follow(const Volume& seen, ReconcileReport& report);
  Status make_and_drop(const Volume& seen, ReconcileReport& report);

  LockedVolumes& volumes_;
  Changes& changes_;
  Snapshots& snapshots_;
  Groups& groups_;
  std::mutex guard_;
  std::vector<Stored> scheduled_;  // the volumes that have a schedule, as of revision_
  std::int64_t revision_ = -1;
};

}  // namespace fairlead::volume
