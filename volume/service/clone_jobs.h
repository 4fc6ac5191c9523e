// CloneJobs: clones that take longer than a caller can wait. The copy continues in the background,
// and the same call made again continues to wait for it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "volume/api/types.h"

namespace fairlead::volume {

class CloneJobs {
 public:
  using Work = std::function<Result<Volume>(const Progress& progress)>;

  CloneJobs() = default;
  // Stops all copies, which then leave nothing half done.
  ~CloneJobs();

  // Starts `work`, or joins a copy of that name that was started for the same `plan`, and waits for
  // its result at most `most_wait`; after that it fails with kUnavailable and tells how far the
  // copy is. A failure that no caller was waiting for is returned to the next caller within a
  // minute. Thread-safe.
  Result<Volume> wait_for(const std::string& name, const std::string& plan, Work work,
                          std::chrono::milliseconds most_wait);

 private:
  struct Copy {
    std::string plan;
    std::atomic<std::uint64_t> done = 0, total = 0;
    std::optional<Result<Volume>> result;  // under `guard_`
    std::chrono::steady_clock::time_point ended;
    std::jthread thread;  // the last member: joined before the others are destroyed
  };
  std::shared_ptr<Copy> join_or_start(const std::string& name, const std::string& plan, Work work);
  std::shared_ptr<Copy> start(const std::string& plan, Work work);

  std::mutex guard_;
  std::condition_variable ended_;
  std::atomic<bool> stopping_ = false;
  std::map<std::string, std::shared_ptr<Copy>> clone_jobs_;  // by the name of the new volume
};

// "42 %", or "3 MiB so far" when the total is not known.
std::string progress_text(std::uint64_t done, std::uint64_t total);

}  // namespace fairlead::volume
