// Reaper: deletes the data of removed volumes in the background. What it does not finish is found
// in the trash by the next reconcile.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "volume/api/backend.h"

namespace fairlead::volume {

class Reaper {
 public:
  using Finish = std::function<void(const std::vector<Volume>& volumes, const StopRequest& stop)>;
  // `finish` removes the data of volumes of take_going().
  explicit Reaper(Finish finish) : finish_(std::move(finish)) {}
  // Continues for at most 50 ms, so that the command line leaves no small volume behind; then stops
  // at the next file. What came first is begun in any case.
  ~Reaper();

  // Thread-safe. The backend must outlive the reaper. The thread starts with the first volume.
  void take(Backend& backend, Volume volume);
  // Of a volume whose move into the trash is not flushed yet. Several that come within a moment are
  // flushed together.
  void take_going(Volume volume);

 private:
  struct Work {
    Backend* backend;
    Volume volume;
  };
  void wake();  // holding guard_
  void empty(const Work& work);
  void run(const std::stop_token& ending);
  bool is_over() const;

  const Finish finish_;
  std::mutex guard_;
  std::condition_variable_any more_;
  std::vector<Work> queue_;
  std::vector<Volume> going_;
  std::atomic<std::chrono::steady_clock::time_point> end_{
      std::chrono::steady_clock::time_point::max()};
  std::jthread thread_;
};

}  // namespace fairlead::volume
