#include "plugin-api/bin/podman_folder.h"

namespace fairlead {

// Without a folder: all zero.
PodmanFolder::Stamp PodmanFolder::stamp() const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return {};
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .seconds = status.st_mtim.tv_sec,
          .nanoseconds = status.st_mtim.tv_nsec};
}

bool PodmanFolder::is_due(long long now, long long grace) {
  const Stamp present = stamp();
  if (seen_ != present) {
    seen_ = present;
    again_ = now + grace + 1;
    return true;
  }
  if (!again_ || now < *again_) return false;
  again_.reset();
  return true;
}

}  // namespace fairlead
