// Watches how full disks and volumes become: tells of disks, and lets volumes with autogrow= grow.
//
// The kernel sends no event for a file system that becomes full, so it is asked about once a second.
// A volume grows when less than the `percent` of autogrow= is free, of its bytes or of its files: by
// that percentage of its size, and by at least twice of what was written since the last look, so that
// a quick writer does not reach the limit first.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "volume/service/changes.h"

namespace fairlead::volume {

// Thread-safe.
class SpaceWatch {
 public:
  SpaceWatch(LockedVolumes& volumes, Changes& changes) : volumes_(volumes), changes_(changes) {}

  Result<ReconcileReport> round();
  // The disks that are nearly full now, and those of which too much is promised, one line each.
  std::vector<std::string> problems();

 private:
  struct Grower {
    Volume volume;
    std::uint64_t used = 0;
    bool seen = false;
    std::string failure;
    std::chrono::steady_clock::time_point not_before;
  };
  void add_promises(const DiskRoom& room, std::vector<std::string>& problems);
  void watch_disks(ReconcileReport& report);
  Status refresh();
  void look_at(Grower& grower, ReconcileReport& report);
  Result<std::uint64_t> wanted_size(Grower& grower, Backend& backend, const Fullness& fill);
  Result<std::uint64_t> grow(const Volume& seen, std::uint64_t size);
  void note(Grower& grower, const std::string& failure, ReconcileReport& report);

  LockedVolumes& volumes_;
  Changes& changes_;
  std::mutex guard_;
  std::int64_t revision_ = -1;             // of the store, when growers_ was read
  std::map<std::string, Grower> growers_;  // by id
  std::chrono::steady_clock::time_point disks_due_, growers_due_;
};

}  // namespace fairlead::volume
