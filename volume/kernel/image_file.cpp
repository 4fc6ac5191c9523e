#include "volume/kernel/image_file.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

namespace fairlead::volume {

namespace {

constexpr std::size_t kCopyStep = 16U << 20;  // bytes in one call; progress is reported in between
constexpr std::size_t kBuffer = 1U << 20;
constexpr unsigned kExtentsPerCall = 256;
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

// An extent as FIEMAP reports it. Equal physical places at equal logical ones mean equal data.
struct Extent {
  std::uint64_t logical = 0, length = 0, physical = 0;
  bool written = true;  // false: allocated, reads as zeros
  std::uint64_t end() const { return logical + length; }
};

// A struct fiemap with room for its extents behind it.
class ExtentQuery {
 public:
  // Returns how many extents it found from `at` on, or -1 with errno set.
  int ask(int fd, std::uint64_t at) {
    std::ranges::fill(room_, 0);
    fiemap& head = *reinterpret_cast<fiemap*>(room_.data());
    head.fm_start = at;
    head.fm_length = FIEMAP_MAX_OFFSET - at;
    head.fm_flags = FIEMAP_FLAG_SYNC;
    head.fm_extent_count = kExtentsPerCall;
    if (::ioctl(fd, FS_IOC_FIEMAP, &head) != 0) return -1;
    return static_cast<int>(head.fm_mapped_extents);
  }
  const fiemap_extent& operator[](int k) const {
    return reinterpret_cast<const fiemap*>(room_.data())->fm_extents[k];
  }

 private:
  alignas(
      fiemap) std::array<char, sizeof(fiemap) + kExtentsPerCall * sizeof(fiemap_extent)> room_{};
};

Status add_extent(const fiemap_extent& found, std::vector<Extent>& extents) {
  constexpr std::uint32_t kPlaceNotKnown = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC |
                                           FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_INLINE |
                                           FIEMAP_EXTENT_DATA_TAIL | FIEMAP_EXTENT_NOT_ALIGNED;
  if ((found.fe_flags & kPlaceNotKnown) != 0)
    return fail(Code::kUnsupported, "compare two images: their blocks have no fixed place");
  extents.push_back({found.fe_logical, found.fe_length, found.fe_physical,
                     (found.fe_flags & FIEMAP_EXTENT_UNWRITTEN) == 0});
  return {};
}

Result<std::vector<Extent>> extents_of(int fd) {
  std::vector<Extent> extents;
  ExtentQuery query;
  for (std::uint64_t at = 0;;) {
    const int count = query.ask(fd, at);
    if (count < 0 && (errno == EOPNOTSUPP || errno == ENOTTY))
      return fail(Code::kUnsupported,
                  "compare two images: this file system does not tell where their blocks lie");
    if (count < 0) return fail_errno(errno, "ask where the blocks of an image lie");
    for (int k = 0; k < count; ++k) TRY_STATUS(add_extent(query[k], extents));
    if (count == 0 || (query[count - 1].fe_flags & FIEMAP_EXTENT_LAST) != 0) return extents;
    at = extents.back().end();
  }
}

void add_range(std::vector<FileRange>& ranges, std::uint64_t begin, std::uint64_t end) {
  if (begin >= end) return;
  if (!ranges.empty() && ranges.back().offset + ranges.back().length == begin)
    ranges.back().length += end - begin;
  else
    ranges.push_back({begin, end - begin});
}

// The extent in which `at` lies; or nullptr, with the begin of the next one in `until`.
const Extent* extent_at(const std::vector<Extent>& extents, std::size_t& next, std::uint64_t at,
                        std::uint64_t& until) {
  while (next < extents.size() && extents[next].end() <= at) ++next;
  if (next == extents.size()) return nullptr;
  const Extent& extent = extents[next];
  until = std::min(until, extent.logical > at ? extent.logical : extent.end());
  return extent.logical > at ? nullptr : &extent;
}

bool same_data(const Extent* one, const Extent* other, std::uint64_t at) {
  const bool zeros = one == nullptr || !one->written;
  const bool other_zeros = other == nullptr || !other->written;
  if (zeros || other_zeros) return zeros == other_zeros;
  return one->physical + (at - one->logical) == other->physical + (at - other->logical);
}

Result<std::vector<FileRange>> compare(const std::vector<Extent>& older,
                                       const std::vector<Extent>& newer, std::uint64_t common,
                                       std::uint64_t end) {
  std::vector<FileRange> ranges;
  std::size_t in_older = 0, in_newer = 0;
  for (std::uint64_t at = 0; at < common;) {
    std::uint64_t until = common;
    const Extent* one = extent_at(older, in_older, at, until);
    const Extent* other = extent_at(newer, in_newer, at, until);
    if (!same_data(one, other, at)) add_range(ranges, at, until);
    at = until;
  }
  add_range(ranges, common, end);
  return ranges;
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

Result<bool> can_share_blocks(const Folder& folder) {
  const auto unnamed = [&] {
    return UniqueFd(::openat(folder.fd(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  };
  const UniqueFd from = unnamed(), to = unnamed();
  if (!from || !to) {
    if (errno == EOPNOTSUPP || errno == EISDIR) return false;
    return fail_errno(errno, fmt::format("make an unnamed file in {}", folder.path()));
  }
  const std::string block(4096, 'x');  // not empty, because an empty file could be shared anywhere
  if (::write(from.get(), block.data(), block.size()) != static_cast<ssize_t>(block.size()))
    return fail_errno(errno, fmt::format("write into {}", folder.path()));
  const auto shared = share_blocks(from.get(), to.get());
  if (!shared && shared.error().code != Code::kUnsupported) return fail(shared.error());
  return shared.has_value();
}

Result<std::vector<FileRange>> changed_ranges(int older, int newer) {
  TRY(const auto older_size, size_of_file(older));
  TRY(const auto newer_size, size_of_file(newer));
  TRY(const auto older_extents, extents_of(older));
  TRY(const auto newer_extents, extents_of(newer));
  return compare(older_extents, newer_extents, std::min(older_size.length, newer_size.length),
                 std::max(older_size.length, newer_size.length));
}

}  // namespace fairlead::volume
