// Locks by name, between threads and between processes (daemon, exec'd plugins, command line).
#pragma once

#include <chrono>
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
    explicit Guard(UniqueFd file) : file_(std::move(file)) {}
    UniqueFd file_;  // closing it releases the flock(2)
  };

  // Waits at most `deadline`; after that kUnavailable "... is busy". Whoever waits gets the lock in
  // the order of their coming, be they threads or processes. `name` must be an id ([0-9a-zA-Z_.-]).
  // The lock is released by the guard's destructor, and by the kernel when the process dies.
  // Thread-safe.
  Result<Guard> lock(const std::string& name, std::chrono::milliseconds deadline) const;

 private:
  std::string folder_;
};

}  // namespace fairlead
