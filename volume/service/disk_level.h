// How full a disk is, with a hysteresis, so that one that stays at a threshold is told of once.
#pragma once

#include <string>
#include <string_view>

namespace fairlead::volume {

// "full" from 95 % on, and down to 90 % once it was; "filling" from 85 %, and down to 80 % once it
// was more; else "ok".
enum class DiskLevel { kOk, kFilling, kFull };
std::string_view to_string(DiskLevel level);
DiskLevel next_level(DiskLevel before, unsigned percent);

// What is stored of a disk that is watched.
struct DiskState {
  std::string path;
  DiskLevel level = DiskLevel::kOk;
  unsigned percent = 0;
};

}  // namespace fairlead::volume
