// Finds who has a folder mounted, in any mount namespace, by asking the kernel, whatever the
// runtimes counted.
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

// A folder as every mount namespace knows it: the device, and the path from the root of that file
// system. On btrfs the path includes the subvolumes, and the device is the one that mountinfo
// gives, not stat(2).
struct FsPlace {
  unsigned major = 0, minor = 0;
  std::string path;  // "/" or "/a/b"

  bool operator==(const FsPlace&) const = default;
};

struct MountUser {
  pid_t pid = 0;            // a process of that namespace; 0: our own
  std::string mount_point;  // as that process sees it
};

// "mounted at /data by sleep (pid 812)", "mounted at /mnt/x on the host".
std::string describe(const MountUser& user);

// A snapshot of the mount tables of all namespaces that have a process. Can be read by several
// threads. Only mounts count, not open files and working directories.
class MountScan {
 public:
  // Reads each namespace once (told apart by its inode and the root folder of the process). A
  // process that ends meanwhile is no error. Everybody can read the tables themselves; without
  // CAP_SYS_PTRACE more of them are read than needed, because the namespaces cannot be told apart
  // by their links.
  static Result<MountScan> take();

  // The path of a folder that is held open, with every link resolved. kIo when the folder was
  // removed.
  static Result<std::string> path_of(int fd);

  // The place of the folder `fd`, found by the mount through which it was opened.
  Result<FsPlace> place_of(int fd) const;

  // The mounts whose root is the place or lies beneath it. A mount of a folder above, in which the
  // place is merely visible, does not count.
  std::vector<MountUser> users_of(const FsPlace& place) const;

  // The mount points of our own namespace that lie beneath the folder `fd`.
  Result<std::vector<std::string>> mounted_inside(int fd) const;

  // The place of the topmost mount on this path in our own namespace; std::nullopt when nothing is
  // mounted there.
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

// Gives a scan that is at most a second old, so that a list of a thousand volumes reads the tables
// once. Thread-safe.
class RecentMountScan {
 public:
  Result<std::shared_ptr<const MountScan>> get();

 private:
  std::mutex guard_;
  std::shared_ptr<const MountScan> scan_;
  std::chrono::steady_clock::time_point taken_;
};

}  // namespace fairlead::volume
