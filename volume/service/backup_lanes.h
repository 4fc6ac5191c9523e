// Work for several servers, side by side: one that hangs holds up nobody else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace fairlead::volume {

// A lane has a name and does one thing at a time, on a thread of its own. Used by one thread.
class BackupLanes {
 public:
  static constexpr std::size_t kMostFar = 8;  // at work at the same time, besides this host's

  BackupLanes() = default;
  ~BackupLanes() { end(); }
  BackupLanes(const BackupLanes&) = delete;
  BackupLanes& operator=(const BackupLanes&) = delete;

  // Begins the work, unless that lane is still at work, or too many are. The lane of this host,
  // "", is always among those that can be.
  void start(const std::string& name, std::function<void()> work);
  // Waits until a lane has ended, for `most` at the longest. Returns whether one is at work still.
  bool wait(std::chrono::milliseconds most);
  void end();  // waits for all

 private:
  struct Lane {
    std::thread thread;
    bool has_ended = false;
  };
  void clear_ended();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Lane> lanes_;
};

}  // namespace fairlead::volume
