#include "volume/service/reaper.h"

#include "base/log.h"

namespace fairlead::volume {

namespace {
constexpr std::chrono::milliseconds kLastWork(50);
}

Reaper::~Reaper() {
  end_ = std::chrono::steady_clock::now() + kLastWork;
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

bool Reaper::is_over() const { return std::chrono::steady_clock::now() >= end_.load(); }

void Reaper::take(Backend& backend, Volume volume) {
  const std::scoped_lock hold(guard_);
  queue_.push_back({&backend, std::move(volume)});
  if (!thread_.joinable())
    thread_ = std::jthread([this](const std::stop_token& ending) { run(ending); });
  more_.notify_one();
}

void Reaper::run(const std::stop_token& ending) {
  while (!is_over()) {
    std::unique_lock hold(guard_);
    if (!more_.wait(hold, ending, [this] { return !queue_.empty(); })) return;
    const Work work = std::move(queue_.front());
    queue_.pop_front();
    hold.unlock();
    const auto state = work.backend->purge(work.volume, [this] { return is_over(); });
    if (!state)
      log::warn("emptying the trash failed",
                {{"volume", work.volume.name.str()}, {"error", state.error().text}});
  }
}

}  // namespace fairlead::volume
