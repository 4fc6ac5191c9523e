#include "volume/kernel/loop.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <thread>
#include <vector>

namespace fairlead::volume {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kMostTries = 64;  // because others take free loop devices at the same time
constexpr unsigned kLoopMajor = 7;
constexpr milliseconds kFirstPause{1}, kLongestPause{16};

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// Calls `done` at growing intervals until it returns true. Returns false when `deadline` has
// passed.
template <class Done>
Result<bool> poll_until(Clock::time_point deadline, Done done) {
  for (milliseconds pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    TRY(const bool is_done, done());
    if (is_done) return true;
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(pause);
  }
}

// The numbers of the loop devices that are bound: only those have a backing_file.
Result<std::vector<unsigned>> bound_loops() {
  const std::unique_ptr<DIR, CloseDir> dir(::opendir("/sys/block"));
  if (!dir) return fail_errno(errno, "list /sys/block");
  std::vector<unsigned> numbers;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name(entry->d_name);
    if (!name.starts_with("loop")) continue;
    unsigned number = 0;
    const auto [end, error] = std::from_chars(name.data() + 4, name.data() + name.size(), number);
    if (error != std::errc{} || end != name.data() + name.size()) continue;
    const std::string file = fmt::format("{}/loop/backing_file", name);
    if (::faccessat(::dirfd(dir.get()), file.c_str(), F_OK, 0) == 0) numbers.push_back(number);
  }
  return numbers;
}

void note_flags(Loop& loop, const loop_info64& info) {
  loop.read_only = (info.lo_flags & static_cast<std::uint32_t>(LO_FLAGS_READ_ONLY)) != 0;
  loop.direct = (info.lo_flags & static_cast<std::uint32_t>(LO_FLAGS_DIRECT_IO)) != 0;
}

struct Shown {
  Loop loop;
  BoundImage image;
};

// What a loop device is bound to; std::nullopt when it is being freed or was freed meanwhile.
// Opened for reading, because udev probes a block device anew when a descriptor for writing is
// closed.
Result<std::optional<Shown>> shown_by(unsigned number) {
  Shown found{.loop = Loop{.number = number}, .image = {.loop = number}};
  Loop& loop = found.loop;
  loop.fd = UniqueFd(::open(loop.path().c_str(), O_RDONLY | O_CLOEXEC));
  if (!loop.fd && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
    return std::optional<Shown>();
  if (!loop.fd) return fail_errno(errno, fmt::format("open {}", loop.path()));
  loop_info64 info{};
  if (::ioctl(loop.fd.get(), LOOP_GET_STATUS64, &info) != 0) {
    // EIO and ESTALE: a loop device of somebody else on a file system that is dead (loop_get_status
    // asks it for the file's attributes). It cannot be ours, whose file could be opened.
    if (errno == ENXIO || errno == EIO || errno == ESTALE) return std::optional<Shown>();
    return fail_errno(errno, fmt::format("ask {} what it shows", loop.path()));
  }
  note_flags(loop, info);
  found.image.device = info.lo_device;
  found.image.inode = info.lo_inode;
  return std::optional<Shown>(std::move(found));
}

Result<struct stat> stat_image(int image) {
  struct stat info {};
  if (::fstat(image, &info) != 0) return fail_errno(errno, "look at an image file");
  if (!S_ISREG(info.st_mode)) return fail(Code::kInvalid, "attach an image: it is no regular file");
  return info;
}

// Calls LOOP_CONFIGURE; returns 0 or the errno.
int configure(int loop, int image, const LoopRequest& request, std::uint32_t flags) {
  loop_config config{};
  config.fd = static_cast<std::uint32_t>(image);
  config.block_size = request.block_size;
  config.info.lo_flags = flags;
  return ::ioctl(loop, LOOP_CONFIGURE, &config) == 0 ? 0 : errno;
}

// Binds the loop device, with direct I/O if possible; std::nullopt when somebody else took this
// device first.
Result<std::optional<Loop>> try_bind(unsigned number, int image, const LoopRequest& request) {
  Loop loop{.number = number};
  loop.fd = UniqueFd(::open(loop.path().c_str(), O_RDWR | O_CLOEXEC));
  if (!loop.fd && errno == ENOENT)
    return fail(Code::kUnsupported, "attach an image: there is no {}; is /dev a devtmpfs?",
                loop.path());
  if (!loop.fd) return fail_errno(errno, fmt::format("open {}", loop.path()));
  const std::uint32_t flags =
      static_cast<std::uint32_t>(LO_FLAGS_AUTOCLEAR) |
      (request.read_only ? static_cast<std::uint32_t>(LO_FLAGS_READ_ONLY) : 0);
  int error = configure(loop.fd.get(), image, request,
                        flags | static_cast<std::uint32_t>(LO_FLAGS_DIRECT_IO));
  if (error == EINVAL) error = configure(loop.fd.get(), image, request, flags);
  if (error == EBUSY) return std::optional<Loop>();
  if (error != 0) return fail_errno(error, fmt::format("attach an image to {}", loop.path()));
  loop_info64 info{};
  if (::ioctl(loop.fd.get(), LOOP_GET_STATUS64, &info) != 0)
    return fail_errno(errno, fmt::format("ask {} what it shows", loop.path()));
  note_flags(loop, info);
  return std::optional<Loop>(std::move(loop));
}

// The loop device keeps the open file that it is given. If it were given ours, it would keep our
// lock as well.
Result<UniqueFd> open_again(int image, const LoopRequest& request) {
  UniqueFd file(::open(fmt::format("/proc/self/fd/{}", image).c_str(),
                       (request.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC));
  if (!file) return fail_errno(errno, "open an image once more");
  return file;
}

}  // namespace

dev_t Loop::device() const { return ::makedev(kLoopMajor, number); }

Result<bool> try_lock_image(int image) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(image, F_OFD_SETLK, &lock) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return fail_errno(errno, "lock an image file");
}

Status lock_image(int image, milliseconds deadline) {
  TRY(const bool locked,
      poll_until(Clock::now() + deadline, [&] { return try_lock_image(image); }));
  if (locked) return {};
  return fail(Code::kUnavailable,
              "lock an image file: somebody else has been working on it for {} ms; try again",
              deadline.count());
}

Result<std::optional<Loop>> find_loop(int image) {
  TRY(const auto info, stat_image(image));
  TRY(const auto numbers, bound_loops());
  for (const unsigned number : numbers) {
    TRY(auto shown, shown_by(number));
    if (shown && shown->image.device == info.st_dev && shown->image.inode == info.st_ino)
      return std::optional<Loop>(std::move(shown->loop));
  }
  return std::optional<Loop>();
}

Result<std::vector<BoundImage>> bound_images() {
  TRY(const auto numbers, bound_loops());
  std::vector<BoundImage> found;
  for (const unsigned number : numbers) {
    TRY(const auto shown, shown_by(number));
    if (shown) found.push_back(shown->image);
  }
  return found;
}

Result<Loop> bind_loop(int image, const LoopRequest& request) {
  TRY(auto bound, find_loop(image));
  if (bound) return std::move(*bound);
  TRY(const auto file, open_again(image, request));
  const UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control && errno == ENOENT)
    return fail(Code::kUnsupported,
                "attach an image: this kernel has no loop devices; is the module loop loaded?");
  if (!control) return fail_errno(errno, "open /dev/loop-control");
  for (int attempt = 0; attempt < kMostTries; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return fail_errno(errno, "find a free loop device");
    TRY(auto loop, try_bind(static_cast<unsigned>(number), file.get(), request));
    if (loop) return std::move(*loop);
    std::this_thread::sleep_for(kFirstPause);
  }
  return fail(Code::kUnavailable, "attach an image: others take every free loop device; try again");
}

Status update_capacity(const Loop& loop) {
  if (::ioctl(loop.fd.get(), LOOP_SET_CAPACITY) != 0)
    return fail_errno(errno, fmt::format("give {} its new size", loop.path()));
  return {};
}

Result<bool> wait_for_release(int image, milliseconds deadline) {
  return poll_until(Clock::now() + deadline, [&]() -> Result<bool> {
    TRY(const auto loop, find_loop(image));
    return !loop.has_value();
  });
}

}  // namespace fairlead::volume
