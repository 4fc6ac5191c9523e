// How the stores run watches: each watch has a thread, which commits of this process wake at once
// and which polls for the commits of other processes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/state/store.h"

namespace fairlead::state {

// The changes of one commit.
struct CommitEvents {
  std::int64_t revision = 0;
  std::vector<Event> events;
};

// Reads the commits after a revision, in order. It is called from the watch's thread only.
using ReadCommits = std::function<Result<std::vector<CommitEvents>>(std::int64_t after)>;

// A counter that grows with each commit of this process.
class CommitSignal {
 public:
  void notify();
  // Waits until there is a commit after `seen`, `period` has passed or a stop is requested. Updates
  // `seen`.
  void wait(std::stop_token stop, std::uint64_t& seen, std::chrono::milliseconds period);

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t count_ = 0;
};

// Reads new commits, keeps the changes whose key begins with `prefix`, and calls `on_events` once
// for each commit that has such changes. When the store has forgotten commits that were not read
// yet (the callback blocked for thousands of them), the last event is kLost. Must not be destroyed
// from within its own callback.
class FeedWatch : public Watch {
 public:
  struct Options {
    std::string prefix;
    std::int64_t after = 0;
    std::chrono::milliseconds period;  // how often it polls for commits of other processes
  };
  FeedWatch(Options options, std::shared_ptr<CommitSignal> signal, ReadCommits read,
            std::function<void(const std::vector<Event>&)> on_events);

 private:
  void run(std::stop_token stop);
  // Returns false when the watch has ended.
  bool deliver(const std::stop_token& stop, std::vector<CommitEvents> commits);

  Options options_;
  std::shared_ptr<CommitSignal> signal_;
  ReadCommits read_;
  std::function<void(const std::vector<Event>&)> on_events_;
  std::jthread thread_;  // the last member: it stops before the others are destroyed
};

}  // namespace fairlead::state
