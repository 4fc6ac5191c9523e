// A deadline for verbs that may take long while somebody waits for the response of an HTTP request.
#pragma once

#include <chrono>
#include <string_view>

#include "volume/api/types.h"

namespace fairlead::native {

// Stops a verb through its Progress at the deadline. Must live as long as the verb runs.
class RequestDeadline {
 public:
  explicit RequestDeadline(std::chrono::milliseconds most)
      : end_(std::chrono::steady_clock::now() + most) {}
  RequestDeadline(const RequestDeadline&) = delete;
  RequestDeadline& operator=(const RequestDeadline&) = delete;

  volume::Progress progress() {
    return [this](std::uint64_t, std::uint64_t) {
      if (std::chrono::steady_clock::now() >= end_) over_ = true;
      return !over_;
    };
  }

  // Replaces the failure of a verb that was stopped by this deadline: the text names the command to
  // use.
  Error explain(Error error, std::string_view command) const {
    if (!over_ || error.code != Code::kUnavailable) return error;
    return {Code::kUnavailable, 0,
            fmt::format("it takes too long for a request: run `{}`", command)};
  }

 private:
  std::chrono::steady_clock::time_point end_;
  bool over_ = false;
};

}  // namespace fairlead::native
