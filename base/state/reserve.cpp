#include "base/state/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace fairlead::state {

namespace {

bool has_room(int fd) {
  struct statvfs disk {};
  if (::fstatvfs(fd, &disk) != 0) return false;
  return disk.f_bfree * disk.f_frsize >= 2UL * Reserve::kSlice;
}

}  // namespace

// The last slice is freed by deleting the file, which needs less room than truncating it.
bool Reserve::give() const {
  const UniqueFd file(::open(path_.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return false;
  const long rest = (info.st_size - 1) / kSlice * kSlice;
  if (info.st_size > kSlice && ::ftruncate(file.get(), rest) == 0) return true;
  return ::unlink(path_.c_str()) == 0;
}

// It is allocated from the beginning each time, which costs nothing where there are blocks already:
// so a truncation by another process in between leaves no hole.
void Reserve::fill() const {
  struct stat info {};
  if (::lstat(path_.c_str(), &info) == 0 && info.st_size >= kBytes) [[likely]]
    return;
  const UniqueFd file(::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file || ::fstat(file.get(), &info) != 0) return;
  for (long size = info.st_size / kSlice * kSlice; size < kBytes && has_room(file.get());) {
    size += kSlice;
    if (::posix_fallocate(file.get(), 0, size) != 0) return;
  }
}

}  // namespace fairlead::state
