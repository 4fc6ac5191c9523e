// Who has a folder mounted, in any mount namespace: the kernel's answer, whatever the runtimes
// counted.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "volume/kernel/mountinfo.h"

namespace fairlead::volume {

// A folder as every mount namespace knows it: device and path from the root of that file system. On
// btrfs the path includes the subvolumes, and the device is the one of mountinfo, not that of
// stat(2).
struct FsPlace {
  unsigned major = 0, minor = 0;
  std::string path;  // "/" or "/a/b"

  bool operator==(const FsPlace&) const = default;
};

struct MountUser {
  pid_t pid = 0;            // a process of that namespace; 0: the mount is in our own
  std::string mount_point;  // as that process sees it
};

// "mounted at /data by sleep (pid 812)", "mounted at /mnt/x on the host".
std::string describe(const MountUser& user);

// One look at the mount tables of all namespaces that have a process. A value; thread-safe to read.
// Open files and working directories do not count: only mounts do.
class MountScan {
 public:
  // Reads each namespace once (by its inode and the root folder of the process). A process that
  // ends meanwhile is no error. The tables themselves are readable to everybody; without
  // CAP_SYS_PTRACE more of them are read than needed.
  static Result<MountScan> take();

  // The path of a folder that is held open, with every link resolved; kIo when it was removed.
  static Result<std::string> path_of(int fd);

  // Where the folder `fd` lies, by the mount it was opened through.
  Result<FsPlace> place_of(int fd) const;

  // Mounts whose root is the place or lies beneath it. A mount of a folder above, in which the
  // place is only visible, is none.
  std::vector<MountUser> users_of(const FsPlace& place) const;

  // Mount points of our own namespace beneath the folder `fd`: something is mounted inside.
  Result<std::vector<std::string>> mounted_inside(int fd) const;

  // What is mounted at this path of our own namespace: the topmost one.
  std::optional<FsPlace> mounted_at(const std::string& path) const;

 private:
  struct Seen {
    FsPlace root;
    MountUser user;
  };
  void add(pid_t pid, std::vector<MountEntry> entries);

  std::vector<MountEntry> own_;  // of the calling thread's namespace
  std::vector<Seen> seen_;       // sorted by root
};

// A look that is at most a second old: a list of a thousand volumes reads the tables once.
// Thread-safe.
class RecentMountScan {
 public:
  Result<std::shared_ptr<const MountScan>> get();

 private:
  std::mutex guard_;
  std::shared_ptr<const MountScan> scan_;
  std::chrono::steady_clock::time_point taken_;
};

}  // namespace fairlead::volume
