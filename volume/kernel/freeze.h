// Freezes a file system for the moment of a snapshot, and never for longer: a frozen file system
// hangs every writer, beyond the reach of SIGKILL, and stays frozen when the process that froze it
// dies.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

inline constexpr std::chrono::milliseconds kLongestFreeze{2000};

// While this object lives, what is on the disk is one consistent moment. A process of its own
// freezes the file system, and thaws it when it is told to, when `most` has passed, or when we die.
class Frozen {
 public:
  // `fs` is a descriptor of any folder of the file system, open for reading. kUnsupported where it
  // cannot be frozen, kInUse (EBUSY) when it is frozen already.
  static Result<Frozen> freeze(int fs, std::chrono::milliseconds most = kLongestFreeze);

  Frozen(Frozen&&) noexcept = default;
  Frozen& operator=(Frozen&&) = delete;
  ~Frozen();

  // kUnavailable when the time was over or somebody else has thawed the file system: what was
  // copied meanwhile is not one moment and must not be kept.
  Status thaw();

 private:
  Frozen(UniqueFd fs, UniqueFd watchdog, pid_t pid)
      : fs_(std::move(fs)), watchdog_(std::move(watchdog)), pid_(pid) {}

  // our end of a socket pair with the watchdog: closing it makes the watchdog thaw
  UniqueFd fs_, watchdog_;
  pid_t pid_;
};

// Thaws a file system that was left frozen by a process which was killed. Returns whether it was
// frozen.
Result<bool> thaw_left_over(int fs);

// The same for everything of this host that is mounted beneath an absolute path, of the kernel's
// own file systems that can be frozen (no server is touched). Called when a daemon starts. Returns
// the mount points that were frozen.
Result<std::vector<std::string>> thaw_all_beneath(const std::string& folder);

}  // namespace fairlead::volume
