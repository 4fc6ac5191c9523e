// Runs the hooks of containers around a snapshot.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "volume/service/locked_volumes.h"

namespace fairlead::volume {

// The hooks of the containers that use some volumes, found before a snapshot of these is taken.
//
//   TRY(auto hooks, HooksAround::begin(volumes, names, "snapshot", "monday", progress));
//   auto taken = take(...);
//   hooks.end(taken.has_value());
//
// No lock of a volume may be held: hooks take as long as they like, up to their deadline.
class HooksAround {
 public:
  // Finds them and runs those that come before. When one fails, those that come after were run
  // too. Volumes that do not exist, or that nobody uses, have none.
  static Result<HooksAround> begin(LockedVolumes& volumes, const std::vector<VolumeName>& names,
                                   const std::string& verb, const std::string& snapshot,
                                   const Progress& progress);
  HooksAround(HooksAround&&) = default;
  HooksAround& operator=(HooksAround&&) = delete;
  // Runs those that come after: at the latest the destructor does, as after a failure.
  void end(bool taken);
  ~HooksAround();

 private:
  HooksAround() = default;

  std::vector<LockedVolumes::Guard> locks_;
  std::unique_ptr<ContainerHooks::Run> run_;  // nullptr: none, or ended
};

}  // namespace fairlead::volume
