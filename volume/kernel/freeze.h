// Freezing a file system for the moment of a snapshot, and never for longer: a frozen one hangs
// every writer, beyond the reach of SIGKILL, and stays frozen when the freezer dies.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

inline constexpr std::chrono::milliseconds kLongestFreeze{2000};

// While it lives, what is on the disk is one consistent moment. A process of its own freezes, and
// thaws when it is told to, when `most` has passed, or when we die.
class Frozen {
 public:
  // `fs`: a descriptor of any folder of the file system, open for reading. kUnsupported where it
  // cannot be frozen, kInUse (EBUSY) when it is frozen already.
  static Result<Frozen> freeze(int fs, std::chrono::milliseconds most = kLongestFreeze);

  Frozen(Frozen&&) noexcept = default;
  Frozen& operator=(Frozen&&) = delete;
  ~Frozen();

  // kUnavailable when the time was over, or somebody else has thawed it: what was copied meanwhile
  // is not one moment, and must not be kept.
  Status thaw();

 private:
  Frozen(UniqueFd fs, UniqueFd watchdog, pid_t pid)
      : fs_(std::move(fs)), watchdog_(std::move(watchdog)), pid_(pid) {}

  UniqueFd fs_, watchdog_;  // the watchdog's end of a socket pair: closing it tells it to thaw
  pid_t pid_;
};

// Thaws what a killed freezer left. True when it was frozen.
Result<bool> thaw_left_over(int fs);

// The same for everything of this host that is mounted beneath an absolute path (file systems of
// the kernel's own that can be frozen; no server is touched). For the start of a daemon. Returns
// the mount points that were frozen.
Result<std::vector<std::string>> thaw_all_beneath(const std::string& folder);

}  // namespace fairlead::volume
