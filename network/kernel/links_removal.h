// Deleting links without waiting for the RCU grace period (10-30 ms) that the system call ends
// with: somebody else makes the call, the caller waits for the kernel's RTM_DELLINK notification,
// after which names and addresses are free.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "network/kernel/links.h"
#include "network/kernel/netlink.h"

namespace fairlead::kernel {

// Waits for links to be gone. Thread-safe: of the threads that wait, one reads the socket for all.
class DeletionWatch {
 public:
  explicit DeletionWatch(NetlinkSocket socket) : socket_(std::move(socket)) {}
  // A socket in the namespace of the calling thread that hears RTM_DELLINK and nothing else.
  static Result<std::unique_ptr<DeletionWatch>> open();

  // From now on the fate of `index` is remembered; call before the deletion is started.
  void expect(int index);
  // Known otherwise: the link is gone, or cannot be deleted.
  void settle(int index, Status fate);
  // Waits for the link's fate and forgets it; nothing when the deadline passes first.
  std::optional<Status> wait(int index, std::chrono::steady_clock::time_point deadline);
  void forget(int index);

 private:
  // Reads one batch of events, waiting until the deadline at most; the indexes of links that are
  // gone.
  std::vector<int> read_events(std::chrono::steady_clock::time_point deadline);

  std::mutex mutex_;
  std::condition_variable changed_;
  NetlinkSocket socket_;
  bool reading_ = false;
  std::map<int, std::optional<Status>> fates_;
};

// Starts deletions; their end is told to the watch.
class LinkReaper {
 public:
  virtual ~LinkReaper() = default;
  virtual Status submit(const std::vector<int>& indexes) = 0;
  // Waits until nothing that was submitted is under way.
  virtual void finish() = 0;
};

// `netns_fd`: borrowed, of the namespace of the links; `watch` must outlive the reaper.
std::unique_ptr<LinkReaper> make_thread_reaper(int netns_fd, DeletionWatch& watch);
// Works through a socket opened in the namespace of the calling thread.
Result<std::unique_ptr<LinkReaper>> make_process_reaper();

}  // namespace fairlead::kernel
