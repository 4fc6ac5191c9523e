#include "volume/backends/loop_image.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/fault.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;

constexpr auto kReleaseDeadline = 3s;

Result<struct stat> stat_of(int image) {
  struct stat info {};
  if (::fstat(image, &info) != 0) return fail_errno(errno, "look at an image file");
  return info;
}

bool is_same(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

}  // namespace

Result<LoopImage> LoopImage::make(const Folder& folder, const std::string& name,
                                  std::uint64_t size) {
  TRY(auto fd, make_sparse_file(folder, name, size));
  return LoopImage(std::move(fd), fmt::format("{}/{}", folder.path(), name));
}

Result<LoopImage> LoopImage::make_unnamed(const Folder& folder) {
  UniqueFd fd(::openat(folder.fd(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, fmt::format("make an unnamed file in {}", folder.path()));
  std::string path = fmt::format("/proc/self/fd/{}", fd.get());
  return LoopImage(std::move(fd), std::move(path));
}

Result<LoopImage> LoopImage::open(const Folder& folder, const std::string& relative, Open how) {
  TRY(auto fd, open_image(folder, relative, how));
  return LoopImage(std::move(fd), fmt::format("{}/{}", folder.path(), relative));
}

Result<bool> LoopImage::is_same_file(const LoopImage& other) const {
  TRY(const auto mine, stat_of(fd()));
  TRY(const auto others, stat_of(other.fd()));
  return is_same(mine, others);
}

Result<bool> LoopImage::is_at(const Folder& folder, const char* name) const {
  struct stat named {};
  if (::fstatat(folder.fd(), name, &named, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, fmt::format("look at {}/{}", folder.path(), name));
  TRY(const auto held, stat_of(fd()));
  return is_same(named, held);
}

Result<Loop> LoopImage::attach(const LoopRequest& request) const {
  TRY(auto loop, bind_loop(fd(), request));
  fault_point("volume.image.attached");
  return loop;
}

Status LoopImage::await_release() const {
  TRY(const bool released, wait_for_release(fd(), kReleaseDeadline));
  if (released) return {};
  return fail(Code::kInUse,
              "release an image: a loop device still shows it; somebody has it mounted in another "
              "namespace");
}

Status LoopImage::update_device() const {
  TRY(const auto bound, loop());
  return bound ? update_capacity(*bound) : Status();
}

Status LoopImage::fill_from(const LoopImage& from, const CopyProgress& progress) const {
  const auto shared = share_from(from);
  if (!shared && shared.error().code != Code::kUnsupported) return shared;
  if (!shared) TRY_STATUS(copy_sparse(from.fd(), fd(), progress));
  fault_point("volume.image.copied");
  return sync();
}

}  // namespace fairlead::volume
