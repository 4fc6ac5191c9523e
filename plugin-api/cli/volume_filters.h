// --filter of volume ls and volume prune, as Docker's: several of one key mean any of them, of
// different keys all of them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "volume/api/types.h"

namespace fairlead::cli {

struct VolumeFilter {
  std::string key, value;
  bool negated = false;  // label!=keep
};

class VolumeFilters {
 public:
  // kInvalid, with the known ones, for one that is not known or has no such value.
  static Result<VolumeFilters> parse(const std::vector<std::string>& words);
  bool pass(const volume::Volume& volume, const volume::VolumeStatus& status) const;
  // Whether one of them asks for what only the status of a volume tells.
  bool need_status() const;

 private:
  std::map<std::string, std::vector<VolumeFilter>> by_key_;
};

// Whether nobody has it mounted, and no runtime has counted a mount of it.
bool is_unused(const volume::Volume& volume, const volume::VolumeStatus& status);

// The value of "volume=TEXT", the only filter of snapshot ls; several mean any of them.
Result<std::vector<std::string>> volume_filters_of_snapshots(const std::vector<std::string>& words);

}  // namespace fairlead::cli
