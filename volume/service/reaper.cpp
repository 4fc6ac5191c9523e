#include "volume/service/reaper.h"

#include "base/log.h"

namespace fairlead::volume {

namespace {
constexpr std::chrono::milliseconds kLastWork(50);
// So that removals, one after the other, do not wait for each other's flushes.
constexpr std::chrono::milliseconds kTogether(200);
}  // namespace

Reaper::~Reaper() {
  end_ = std::chrono::steady_clock::now() + kLastWork;
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

bool Reaper::is_over() const { return std::chrono::steady_clock::now() >= end_.load(); }

void Reaper::take(Backend& backend, Volume volume) {
  const std::scoped_lock hold(guard_);
  queue_.push_back({&backend, std::move(volume)});
  wake();
}

void Reaper::take_going(Volume volume) {
  const std::scoped_lock hold(guard_);
  going_.push_back(std::move(volume));
  wake();
}

void Reaper::wake() {
  if (!thread_.joinable())
    thread_ = std::jthread([this](const std::stop_token& ending) { run(ending); });
  more_.notify_one();
}

void Reaper::empty(const Work& work) {
  const auto state = work.backend->purge(work.volume, [this] { return is_over(); });
  if (!state)
    log::warn("emptying the trash failed",
              {{"volume", work.volume.name.str()}, {"error", state.error().text}});
}

void Reaper::run(const std::stop_token& ending) {
  while (!is_over()) {
    std::unique_lock hold(guard_);
    if (!more_.wait(hold, ending, [this] { return !queue_.empty() || !going_.empty(); })) return;
    if (queue_.empty()) more_.wait_for(hold, ending, kTogether, [] { return false; });
    const auto queue = std::exchange(queue_, {});
    const auto going = std::exchange(going_, {});
    hold.unlock();
    for (const Work& work : queue)
      if (&work == &queue.front() || !is_over()) empty(work);
    if (!going.empty()) finish_(going, [this] { return is_over(); });
  }
}

}  // namespace fairlead::volume
