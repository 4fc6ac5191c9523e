// A collector that may have to wait, for a server that is dead or for a disk, runs on a thread of its
// own: no scrape waits for it longer than its patience, and nothing runs while nobody scrapes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "plugin-api/metrics/collectors.h"

namespace fairlead::metrics {

class SlowCollector {
 public:
  // What is older than `max_age` is collected again by the next scrape, which waits for it at most for
  // `patience` and else tells what was known before.
  SlowCollector(Collector inner, std::chrono::milliseconds max_age,
                std::chrono::milliseconds patience);
  ~SlowCollector();
  SlowCollector(const SlowCollector&) = delete;
  SlowCollector& operator=(const SlowCollector&) = delete;

  // Its families, and their age. kUnavailable while nothing is known yet.
  Collector collector();

 private:
  using Clock = std::chrono::steady_clock;

  void run();
  Result<Families> latest();

  const Collector inner_;
  const std::chrono::milliseconds max_age_, patience_;
  std::mutex guard_;
  std::condition_variable wake_, done_;
  bool wanted_ = false, stopping_ = false;
  std::optional<Result<Families>> known_;
  Clock::time_point known_at_{};
  std::thread thread_;
};

}  // namespace fairlead::metrics
