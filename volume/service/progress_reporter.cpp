#include "volume/service/progress_reporter.h"

#include <algorithm>

namespace fairlead::volume {

namespace {
constexpr std::chrono::milliseconds kPause(100);
}

Status ProgressReporter::add(std::uint64_t bytes) {
  done_ += bytes;
  if (!progress_) return {};
  const auto now = Clock::now();
  if (told_ != Clock::time_point::min() && now - told_ < kPause) return {};
  told_ = now;
  // When the volume grows meanwhile, `done` is still never reported above `total`.
  if (progress_(total_ == 0 ? done_ : std::min(done_, total_), total_)) return {};
  return fail(Code::kUnavailable, "it was stopped");
}

}  // namespace fairlead::volume
