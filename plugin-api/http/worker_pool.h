// The threads that run the handlers, created when there is work for them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace fairlead::http {

// Jobs run in the order in which they were submitted, at most `most_threads` at a time. A job must
// not throw.
class WorkerPool {
 public:
  explicit WorkerPool(unsigned most_threads)
      : most_threads_(most_threads == 0 ? 1 : most_threads) {}
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  // Finishes the submitted jobs, then joins the threads.
  ~WorkerPool();

  // Thread-safe.
  void submit(std::function<void()> job);

 private:
  void work();
  void add_thread();

  const unsigned most_threads_;
  std::mutex guard_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  std::size_t waiting_ = 0;  // threads that wait for a job
  bool stopping_ = false;
};

}  // namespace fairlead::http
