#include "volume/service/reaper.h"

#include "base/log.h"

namespace fairlead::volume {

Reaper::~Reaper() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Reaper::take(Backend& backend, Volume volume) {
  const std::scoped_lock hold(guard_);
  queue_.push_back({&backend, std::move(volume)});
  if (!thread_.joinable())
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  more_.notify_one();
}

void Reaper::run(const std::stop_token& stop) {
  for (;;) {
    std::unique_lock hold(guard_);
    if (!more_.wait(hold, stop, [this] { return !queue_.empty(); })) return;
    if (stop.stop_requested()) return;
    const Work work = std::move(queue_.front());
    queue_.pop_front();
    hold.unlock();
    const auto state = work.backend->purge(work.volume, [&] { return stop.stop_requested(); });
    if (!state)
      log::warn("emptying the trash failed",
                {{"volume", work.volume.name.str()}, {"error", state.error().text}});
  }
}

}  // namespace fairlead::volume
