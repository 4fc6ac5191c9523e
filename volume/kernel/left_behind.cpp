#include "volume/kernel/left_behind.h"

#include <utility>

namespace fairlead::volume {

void WalkNotes::add(std::string line) {
  constexpr std::size_t kMostNotes = 100;
  ++left_out;
  if (lines.size() < kMostNotes) lines.push_back(std::move(line));
}

}  // namespace fairlead::volume
