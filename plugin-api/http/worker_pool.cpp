#include "plugin-api/http/worker_pool.h"

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

void WorkerPool::submit(std::function<void()> job) {
  {
    const std::lock_guard lock(guard_);
    jobs_.push_back(std::move(job));
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

void WorkerPool::work() {
  std::unique_lock lock(guard_);
  while (true) {
    ++waiting_;
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    --waiting_;
    if (jobs_.empty()) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

}  // namespace fairlead::http
