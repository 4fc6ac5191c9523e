#include "volume/service/backup_lanes.h"

#include <algorithm>

namespace fairlead::volume {

void BackupLanes::end() {
  for (auto& [name, lane] : lanes_) lane.thread.join();
  lanes_.clear();
}

void BackupLanes::clear_ended() {
  for (auto at = lanes_.begin(); at != lanes_.end();) {
    const bool has_ended = at->second.has_ended;
    if (has_ended) at->second.thread.join();
    at = has_ended ? lanes_.erase(at) : std::next(at);
  }
}

void BackupLanes::start(const std::string& name, std::function<void()> work) {
  const std::scoped_lock hold(mutex_);
  clear_ended();
  const std::size_t far = lanes_.size() - lanes_.count("");
  if (lanes_.contains(name) || (!name.empty() && far >= kMostFar)) return;
  Lane& lane = lanes_[name];  // stays where it is while others come and go
  lane.thread = std::thread([this, &lane, work = std::move(work)] {
    work();
    const std::scoped_lock held(mutex_);
    lane.has_ended = true;
    changed_.notify_all();
  });
}

bool BackupLanes::wait(std::chrono::milliseconds most) {
  std::unique_lock hold(mutex_);
  const auto has_ended = [this] {
    return std::ranges::any_of(lanes_, [](const auto& lane) { return lane.second.has_ended; });
  };
  if (!lanes_.empty()) changed_.wait_for(hold, most, has_ended);
  clear_ended();
  return !lanes_.empty();
}

}  // namespace fairlead::volume
