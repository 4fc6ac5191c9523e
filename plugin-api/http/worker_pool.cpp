#include "plugin-api/http/worker_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/log.h"

namespace fairlead::http {

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(guard_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::submit(PeerKey peer, std::function<void()> job) {
  {
    const std::lock_guard lock(guard_);
    jobs_.push_back({peer, std::move(job)});
    if (jobs_.size() > waiting_ && threads_.size() < most_threads_) add_thread();
  }
  wake_.notify_one();
}

// A thread that cannot be created is a failure only when there is no other.
void WorkerPool::add_thread() {
  try {
    threads_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    if (threads_.empty()) throw;
    log::warn("cannot start one more worker thread",
              {{"cause", error.what()}, {"threads", threads_.size()}});
  }
}

// The first one whose peer does not run its share already. At the end there is nobody to share
// with.
WorkerPool::Jobs::iterator WorkerPool::next_job() {
  return std::ranges::find_if(jobs_, [this](const Job& job) {
    const auto running = running_.find(job.peer);
    return stopping_ || running == running_.end() || running->second < most_of_one_peer_;
  });
}

void WorkerPool::work() {
  std::unique_lock lock(guard_);
  while (true) {
    ++waiting_;
    wake_.wait(lock, [this] { return stopping_ || next_job() != jobs_.end(); });
    --waiting_;
    if (jobs_.empty()) return;
    const auto next = next_job();
    Job job = std::move(*next);
    jobs_.erase(next);
    ++running_[job.peer];
    lock.unlock();
    job.run();
    job.run = nullptr;
    lock.lock();
    if (--running_[job.peer] == 0) running_.erase(job.peer);
  }
}

}  // namespace fairlead::http
