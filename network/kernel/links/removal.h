// Deletes links without waiting for the RCU grace period (10-30 ms) at the end of the system call.
// A thread or a process of its own makes the system call; the caller waits only for the kernel's
// RTM_DELLINK notification, after which names and addresses are free.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "network/kernel/links/links.h"
#include "network/kernel/netlink/netlink.h"

namespace fairlead::kernel {

// Waits until links are gone. Thread-safe: one of the waiting threads reads the socket for all of
// them.
class DeletionWatch {
 public:
  explicit DeletionWatch(NetlinkSocket socket) : socket_(std::move(socket)) {}
  // Opens a socket in the network namespace of the calling thread that receives RTM_DELLINK only.
  static Result<std::unique_ptr<DeletionWatch>> open();

  // From this call on the outcome of the deletion of `index` is recorded. To be called before the
  // deletion is started.
  void expect(int index);
  // Records an outcome that is known from elsewhere: the link is gone, or cannot be deleted. The
  // first outcome counts.
  void settle(int index, Status fate);
  // Waits for the outcome and forgets it; std::nullopt when the deadline passes first.
  std::optional<Status> wait(int index, std::chrono::steady_clock::time_point deadline);
  void forget(int index);

 private:
  // Reads the events that have come, and waits for them at most until the deadline. Returns the
  // indexes of links that are gone.
  std::vector<int> read_events(std::chrono::steady_clock::time_point deadline);

  std::mutex mutex_;
  std::condition_variable changed_;
  NetlinkSocket socket_;
  bool reading_ = false;
  std::map<int, std::optional<Status>> fates_;
};

// Starts deletions. A thread reaper also records their outcome in the DeletionWatch.
class LinkReaper {
 public:
  virtual ~LinkReaper() = default;
  virtual Status submit(const std::vector<int>& indexes) = 0;
  // Waits until all submitted deletions have finished.
  virtual void finish() = 0;
};

// `netns_fd` is the network namespace of the links, and is borrowed. `watch` must outlive the
// reaper.
std::unique_ptr<LinkReaper> make_thread_reaper(int netns_fd, DeletionWatch& watch);
// Works in the network namespace that the calling thread is in at the time of this call.
Result<std::unique_ptr<LinkReaper>> make_process_reaper();

}  // namespace fairlead::kernel
