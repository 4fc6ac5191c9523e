// Reaper: deletes the data of removed volumes in the background. What it does not finish is found
// in the trash by the next reconcile.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "volume/api/backend.h"

namespace fairlead::volume {

class Reaper {
 public:
  Reaper() = default;
  // Continues for at most 50 ms, so that the command line leaves no small volume behind; then stops
  // at the next file.
  ~Reaper();

  // Thread-safe. The backend must outlive the reaper. The thread starts with the first volume.
  void take(Backend& backend, Volume volume);

 private:
  struct Work {
    Backend* backend;
    Volume volume;
  };
  void run(const std::stop_token& ending);
  bool is_over() const;

  std::mutex guard_;
  std::condition_variable_any more_;
  std::deque<Work> queue_;
  std::atomic<std::chrono::steady_clock::time_point> end_{
      std::chrono::steady_clock::time_point::max()};
  std::jthread thread_;
};

}  // namespace fairlead::volume
