#include "volume/kernel/image_file.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

namespace fairlead::volume {

namespace {

constexpr std::size_t kCopyStep = 16U << 20;  // bytes in one call; progress is reported in between
constexpr std::size_t kBuffer = 1U << 20;
constexpr auto kTellEvery = std::chrono::milliseconds(100);

// Calls the user's function about ten times a second.
class CopyReporter {
 public:
  CopyReporter(const CopyProgress& progress, std::uint64_t total)
      : progress_(progress), total_(total) {}
  Status add(std::uint64_t bytes) {
    done_ += bytes;
    const auto now = std::chrono::steady_clock::now();
    if (!progress_ || now - told_ < kTellEvery) return {};
    told_ = now;
    if (progress_(std::min(done_, total_), total_)) return {};
    return fail(Code::kUnavailable, "copy an image: stopped");
  }

 private:
  const CopyProgress& progress_;
  std::uint64_t done_ = 0, total_ = 0;
  std::chrono::steady_clock::time_point told_;
};

// Copies within the kernel, in one file system or where both can. Returns the number of bytes, 0
// where it is not possible.
Result<std::size_t> copy_in_kernel(int from, int to, off_t at, std::size_t most) {
  off_t in = at, out = at;
  const ssize_t copied = ::copy_file_range(from, &in, to, &out, most, 0);
  if (copied >= 0) return static_cast<std::size_t>(copied);
  if (errno == EXDEV || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) return 0U;
  return fail_errno(errno, "copy an image");
}

Result<std::size_t> copy_by_hand(int from, int to, off_t at, std::vector<char>& buffer,
                                 std::size_t most) {
  const ssize_t got = ::pread(from, buffer.data(), std::min(buffer.size(), most), at);
  if (got < 0) return fail_errno(errno, "read an image");
  for (ssize_t written = 0; written < got;) {
    const ssize_t now = ::pwrite(to, buffer.data() + written,
                                 static_cast<std::size_t>(got - written), at + written);
    if (now < 0) return fail_errno(errno, "write an image");
    written += now;
  }
  return static_cast<std::size_t>(got);
}

Status copy_range(int from, int to, off_t at, off_t end, std::vector<char>& buffer,
                  CopyReporter& reporter) {
  while (at < end) {
    const auto most = std::min(static_cast<std::size_t>(end - at), kCopyStep);
    std::size_t copied = 0;
    if (buffer.empty()) {
      TRY(copied, copy_in_kernel(from, to, at, most));
      if (copied == 0) buffer.resize(kBuffer);
    }
    if (!buffer.empty()) {
      TRY(copied, copy_by_hand(from, to, at, buffer, most));
    }
    if (copied == 0) return fail(Code::kIo, "copy an image: it became shorter meanwhile");
    at += static_cast<off_t>(copied);
    TRY_STATUS(reporter.add(copied));
  }
  return {};
}

}  // namespace

Result<UniqueFd> make_sparse_file(const Folder& folder, const std::string& name,
                                  std::uint64_t size) {
  UniqueFd file(::openat(folder.fd(), name.c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  const std::string what = fmt::format("make the file {}/{}", folder.path(), name);
  if (!file) return fail_errno(errno, what);
  if (::ftruncate(file.get(), static_cast<off_t>(size)) != 0) {
    const int error = errno;
    ::unlinkat(folder.fd(), name.c_str(), 0);
    return fail_errno(error, fmt::format("{} of {} bytes", what, size));
  }
  return file;
}

Result<UniqueFd> open_image(const Folder& folder, const std::string& relative, Open how) {
  auto file = open_beneath(folder.fd(), relative,
                           (how == Open::kReadOnly ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY);
  if (!file) return fail(with_context(file.error(), fmt::format("below {}", folder.path())));
  struct stat info {};
  if (::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode))
    return fail(Code::kInvalid, "open {}/{}: it is not a regular file", folder.path(), relative);
  return std::move(*file);
}

Result<FileSize> size_of_file(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return fail_errno(errno, "look at an image file");
  constexpr std::uint64_t kBlock = 512;  // the unit of st_blocks, whatever the file system
  return FileSize{static_cast<std::uint64_t>(info.st_size),
                  static_cast<std::uint64_t>(info.st_blocks) * kBlock};
}

Result<std::optional<std::uint64_t>> unshared_bytes(int fd) {
  constexpr std::size_t kAtOnce = 512, kMost = 200'000;
  constexpr std::uint32_t kElsewhere =
      FIEMAP_EXTENT_SHARED | FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC;
  std::vector<std::uint64_t> buffer(
      (sizeof(fiemap) + kAtOnce * sizeof(fiemap_extent)) / sizeof(std::uint64_t) + 1);
  auto* const map = reinterpret_cast<fiemap*>(buffer.data());
  std::uint64_t bytes = 0, start = 0;
  for (std::size_t seen = 0; seen < kMost;) {
    std::ranges::fill(buffer, 0);
    map->fm_start = start;
    map->fm_length = FIEMAP_MAX_OFFSET - start;
    map->fm_extent_count = kAtOnce;
    if (::ioctl(fd, FS_IOC_FIEMAP, map) != 0) {
      if (errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL) return std::nullopt;
      return fail_errno(errno, "look at the extents of an image");
    }
    if (map->fm_mapped_extents == 0) return bytes;
    seen += map->fm_mapped_extents;
    for (std::uint32_t k = 0; k < map->fm_mapped_extents; ++k) {
      const fiemap_extent& extent = map->fm_extents[k];
      if ((extent.fe_flags & kElsewhere) == 0) bytes += extent.fe_length;
      if ((extent.fe_flags & FIEMAP_EXTENT_LAST) != 0) return bytes;
      start = extent.fe_logical + extent.fe_length;
    }
  }
  return std::nullopt;
}

Status set_file_size(int fd, std::uint64_t size) {
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0)
    return fail_errno(errno, fmt::format("give an image file a size of {} bytes", size));
  return sync_file(fd);
}

Status sync_file(int fd) {
  while (::fsync(fd) != 0)
    if (errno != EINTR) return fail_errno(errno, "flush an image file");
  return {};
}

Status share_blocks(int from, int to) {
  if (::ioctl(to, FICLONE, from) == 0) return {};
  if (errno == EOPNOTSUPP || errno == EXDEV || errno == EINVAL || errno == ENOTTY)
    return fail(Code::kUnsupported, "share the blocks of an image: this file system cannot");
  return fail_errno(errno, "share the blocks of an image");
}

Status copy_sparse(int from, int to, const CopyProgress& progress) {
  TRY(const auto size, size_of_file(from));
  if (::ftruncate(to, static_cast<off_t>(size.length)) != 0)
    return fail_errno(errno, "give a copy its size");
  CopyReporter reporter(progress, std::min(size.length, size.allocated));
  std::vector<char> buffer;  // empty while the kernel copies
  const auto end = static_cast<off_t>(size.length);
  for (off_t at = 0; at < end;) {
    const off_t data = ::lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return {};  // nothing but a hole up to the end
    if (data < 0) return fail_errno(errno, "find the data of an image");
    const off_t hole = ::lseek(from, data, SEEK_HOLE);
    if (hole < 0) return fail_errno(errno, "find the holes of an image");
    TRY_STATUS(copy_range(from, to, data, std::min(hole, end), buffer, reporter));
    at = hole;
  }
  return {};
}

}  // namespace fairlead::volume
