#include "plugin-api/metrics/slow_collector.h"

namespace fairlead::metrics {

SlowCollector::SlowCollector(Collector inner, std::chrono::milliseconds max_age,
                             std::chrono::milliseconds patience)
    : inner_(std::move(inner)),
      max_age_(max_age),
      patience_(patience),
      thread_([this] { run(); }) {}

SlowCollector::~SlowCollector() {
  {
    const std::scoped_lock hold(guard_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void SlowCollector::run() {
  std::unique_lock hold(guard_);
  for (;;) {
    wake_.wait(hold, [this] { return wanted_ || stopping_; });
    if (stopping_) return;
    hold.unlock();
    auto collected = inner_.collect();
    hold.lock();
    wanted_ = false;
    // What was known stays told, with its age, when it cannot be read again.
    if (collected) known_at_ = Clock::now();
    if (collected || !known_ || !*known_) known_ = std::move(collected);
    done_.notify_all();
  }
}

Result<Families> SlowCollector::latest() {
  std::unique_lock hold(guard_);
  const bool fresh = known_ && *known_ && Clock::now() - known_at_ < max_age_;
  if (!fresh) {
    wanted_ = true;
    wake_.notify_all();
    done_.wait_for(hold, patience_, [this] { return !wanted_ || stopping_; });
  }
  if (!known_)
    return fail(Code::kUnavailable, "collect metrics of {}: they are not read yet", inner_.name);
  TRY(Families families, *known_);
  const std::chrono::duration<double> age = Clock::now() - known_at_;
  Family ages{.name = "fairlead_collector_age_seconds",
              .help = "How long ago it was read what this scrape tells of it."};
  ages.add({{"collector", inner_.name}}, age.count());
  families.push_back(std::move(ages));
  return families;
}

Collector SlowCollector::collector() {
  return {inner_.name, [this] { return latest(); }};
}

}  // namespace fairlead::metrics
