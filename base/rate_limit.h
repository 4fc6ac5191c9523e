// Lets something happen often for a short time, and seldom for a long one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

namespace fairlead {

// Admits `burst` events at once, and one more in each `period` after them. Not thread-safe.
class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;

  RateLimit(std::size_t burst, Clock::duration period)
      : burst_(burst), period_(period), left_(burst) {}

  // std::nullopt: the event is one too many. Otherwise, how many were refused since the last one
  // that was admitted. `now` never goes back.
  std::optional<std::size_t> admit(Clock::time_point now) {
    refill(now);
    if (left_ == 0) {
      ++refused_;
      return std::nullopt;
    }
    --left_;
    return std::exchange(refused_, 0);
  }

 private:
  void refill(Clock::time_point now) {
    if (left_ == burst_) since_ = now;
    const auto periods = static_cast<std::size_t>((now - since_) / period_);
    left_ = std::min(burst_, left_ + periods);
    since_ += period_ * static_cast<Clock::rep>(periods);
  }

  const std::size_t burst_;
  const Clock::duration period_;
  std::size_t left_;
  std::size_t refused_ = 0;
  Clock::time_point since_{};
};

}  // namespace fairlead
