#include "volume/service/clone_jobs.h"

#include <algorithm>
#include <utility>

namespace fairlead::volume {

namespace {
constexpr std::chrono::minutes kFailureKept(1);
}

std::string progress_text(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return fmt::format("{} MiB so far", done >> 20);
  return fmt::format("{} %",
                     static_cast<unsigned>(100.0 * static_cast<double>(std::min(done, total)) /
                                           static_cast<double>(total)));
}

CloneJobs::~CloneJobs() {
  stopping_ = true;
  std::map<std::string, std::shared_ptr<Copy>> copies;
  {
    const std::scoped_lock hold(guard_);
    copies.swap(clone_jobs_);
  }
  // The threads are joined here.
}

// The thread does not touch `copy` after it has released the guard, because whoever took the result
// may drop it then.
std::shared_ptr<CloneJobs::Copy> CloneJobs::start(const std::string& plan, Work work) {
  auto copy = std::make_shared<Copy>();
  copy->plan = plan;
  copy->thread = std::jthread([this, raw = copy.get(), job = std::move(work)] {
    auto result = job([this, raw](std::uint64_t done, std::uint64_t total) {
      raw->done = done;
      raw->total = total;
      return !stopping_;
    });
    const std::scoped_lock hold(guard_);
    raw->result = std::move(result);
    raw->ended = std::chrono::steady_clock::now();
    ended_.notify_all();
  });
  return copy;
}

// Called with the guard held. Of results that nobody took, a failure is returned once; a success is
// in the store, or was removed since.
std::shared_ptr<CloneJobs::Copy> CloneJobs::join_or_start(const std::string& name,
                                                          const std::string& plan, Work work) {
  auto& slot = clone_jobs_[name];
  const bool stale = slot && slot->result &&
                     (slot->plan != plan || *slot->result ||
                      std::chrono::steady_clock::now() - slot->ended > kFailureKept);
  if (!slot || stale) slot = start(plan, std::move(work));
  return slot;
}

Result<Volume> CloneJobs::wait_for(const std::string& name, const std::string& plan, Work work,
                                   std::chrono::milliseconds most_wait) {
  std::unique_lock hold(guard_);
  const auto copy = join_or_start(name, plan, std::move(work));
  if (copy->plan != plan)
    return fail(Code::kUnavailable,
                "another copy into it is going on: {}; try again when it is there",
                progress_text(copy->done, copy->total));
  if (!ended_.wait_for(hold, most_wait, [&] { return copy->result.has_value(); }))
    return fail(Code::kUnavailable, "still being copied: {}; the same call again waits on",
                progress_text(copy->done, copy->total));
  if (const auto there = clone_jobs_.find(name);
      there != clone_jobs_.end() && there->second == copy)
    clone_jobs_.erase(there);
  return *copy->result;
}

}  // namespace fairlead::volume
