// Reaper: removes the data of large removed volumes behind the answer. What it does not get to is
// found again in the trash by the next reconcile.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "volume/api/backend.h"

namespace fairlead::volume {

class Reaper {
 public:
  Reaper() = default;
  ~Reaper();  // stops the work at the next file, and waits for that

  // Thread-safe. The backend must outlive the reaper. The thread starts with the first volume.
  void take(Backend& backend, Volume volume);

 private:
  struct Work {
    Backend* backend;
    Volume volume;
  };
  void run(const std::stop_token& stop);

  std::mutex guard_;
  std::condition_variable_any more_;
  std::deque<Work> queue_;
  std::jthread thread_;
};

}  // namespace fairlead::volume
