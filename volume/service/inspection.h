// Lists volumes, reports their state, and has their file systems checked.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "volume/service/changes.h"

namespace fairlead::volume {

class Inspection {
 public:
  Inspection(LockedVolumes& volumes, Changes& changes) : volumes_(volumes), changes_(changes) {}

  Result<Volume> inspect(const std::string& name);
  Result<std::vector<Volume>> list();
  Result<VolumeStatus> status(const Volume& volume);
  Result<VolumeStatus> usage(const std::string& name, const Progress& progress);
  Result<std::map<std::string, std::uint64_t>> snapshot_space(const std::string& name);
  Result<CheckReport> check(const std::string& name, bool repair, const Progress& progress);

 private:
  void add_growth(const Volume& volume, VolumeStatus& status);
  // Why the volume has its backend, with the backend's own remark added.
  std::string reason_of(const Volume& volume, const std::string& remark);
  std::string choice_of(const Volume& volume);

  LockedVolumes& volumes_;
  Changes& changes_;
};

}  // namespace fairlead::volume
