// What a walk over a tree, or a copy of one, could not keep.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fairlead::volume {

struct WalkNotes {
  std::vector<std::string> lines;  // what was left out, and why; at most 100
  std::uint64_t left_out = 0;
  void add(std::string line);
};

}  // namespace fairlead::volume
