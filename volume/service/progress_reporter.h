// Reports the progress of a long verb about ten times a second, and passes on whether it shall
// continue.
#pragma once

#include <chrono>
#include <cstdint>

#include "volume/api/types.h"

namespace fairlead::volume {

class ProgressReporter {
 public:
  ProgressReporter(const Progress& progress, std::uint64_t total)
      : progress_(progress), total_(total) {}

  // Adds to the bytes done. kUnavailable when the work has to stop here.
  Status add(std::uint64_t bytes);

 private:
  using Clock = std::chrono::steady_clock;
  const Progress& progress_;
  std::uint64_t done_ = 0, total_;
  Clock::time_point told_ = Clock::time_point::min();
};

}  // namespace fairlead::volume
