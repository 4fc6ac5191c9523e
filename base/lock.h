// Locks by name, between threads and between processes (daemon, exec'd plugins, command line).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead {

class NamedLocks {
 public:
  // Lock files are kept in `folder` (made with mode 0700 when missing). They are empty, and stay
  // there until the next boot.
  explicit NamedLocks(std::string folder) : folder_(std::move(folder)) {}

  class Guard {
   public:
    Guard(Guard&&) = default;
    Guard& operator=(Guard&&) = default;

   private:
    friend class NamedLocks;
    Guard(std::shared_ptr<std::timed_mutex> mutex, std::unique_lock<std::timed_mutex> lock,
          UniqueFd file)
        : mutex_(std::move(mutex)), lock_(std::move(lock)), file_(std::move(file)) {}
    std::shared_ptr<std::timed_mutex> mutex_;
    std::unique_lock<std::timed_mutex> lock_;
    UniqueFd file_;  // closing it releases the flock(2)
  };

  // Waits at most `deadline`; after that kUnavailable "... is busy". `name` must be an id
  // ([0-9a-zA-Z_.-]). The lock is released by the guard's destructor, and by the kernel when the
  // process dies.
  Result<Guard> lock(const std::string& name, std::chrono::milliseconds deadline);

 private:
  std::string folder_;
  std::mutex guard_;
  std::map<std::string, std::weak_ptr<std::timed_mutex>> mutexes_;
};

}  // namespace fairlead
