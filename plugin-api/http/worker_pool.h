// The threads that run the handlers of one class of work, created when there is work for them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "plugin-api/http/shares.h"

namespace fairlead::http {

// Jobs run in the order in which they were submitted, at most `most_threads` at a time, and three
// quarters of that for one peer: its further jobs are passed by while those of others wait. A job
// must not throw.
class WorkerPool {
 public:
  explicit WorkerPool(unsigned most_threads)
      : most_threads_(most_threads == 0 ? 1 : most_threads),
        most_of_one_peer_(most_threads_ - most_threads_ / 4) {}
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  // Finishes the submitted jobs, then joins the threads.
  ~WorkerPool();

  // Thread-safe.
  void submit(PeerKey peer, std::function<void()> job);

 private:
  struct Job {
    PeerKey peer;
    std::function<void()> run;
  };
  using Jobs = std::deque<Job>;

  void work();
  void add_thread();
  Jobs::iterator next_job();

  const unsigned most_threads_, most_of_one_peer_;
  std::mutex guard_;
  std::condition_variable wake_;
  Jobs jobs_;
  std::unordered_map<PeerKey, unsigned> running_;  // jobs of each peer that has any
  std::vector<std::thread> threads_;
  std::size_t waiting_ = 0;  // threads that wait for a job
  bool stopping_ = false;
};

}  // namespace fairlead::http
