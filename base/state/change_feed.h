// How stores run watches: a thread for each, woken by commits of this process at once and looking
// by itself for those of others.
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

// The commits after a revision, in order. Thread-safe calls are not needed: only the watch's thread
// calls it.
using ReadCommits = std::function<Result<std::vector<CommitEvents>>(std::int64_t after)>;

// A counter that grows with each commit of this process.
class CommitSignal {
 public:
  void notify();
  // Waits until there was a commit since `seen`, `period` has passed or a stop is asked for.
  // Updates `seen`.
  void wait(std::stop_token stop, std::uint64_t& seen, std::chrono::milliseconds period);

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t count_ = 0;
};

// Reads what is new, keeps what lies under `prefix`, and calls `on_events` once for each commit
// that has any. When the store has forgotten commits that were not read yet (the callback blocked
// for thousands of them), the last event is kLost. Must not be destroyed from within its own
// callback.
class FeedWatch : public Watch {
 public:
  struct Options {
    std::string prefix;
    std::int64_t after = 0;
    std::chrono::milliseconds period;  // between looks for commits of other processes
  };
  FeedWatch(Options options, std::shared_ptr<CommitSignal> signal, ReadCommits read,
            std::function<void(const std::vector<Event>&)> on_events);

 private:
  void run(std::stop_token stop);
  // False: the watch is over.
  bool deliver(const std::stop_token& stop, std::vector<CommitEvents> commits);

  Options options_;
  std::shared_ptr<CommitSignal> signal_;
  ReadCommits read_;
  std::function<void(const std::vector<Event>&)> on_events_;
  std::jthread thread_;  // last: it stops before the rest goes away
};

}  // namespace fairlead::state
