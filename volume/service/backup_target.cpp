#include "volume/service/backup_target.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "base/text.h"
#include "base/unique_fd.h"
#include "volume/kernel/mount_scan.h"

namespace fairlead::volume {

namespace {

UniqueFd open_folder(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

bool is_beneath(const FsPlace& place, const FsPlace& top) {
  if (place.major != top.major || place.minor != top.minor) return false;
  if (place.path == top.path || top.path == "/") return true;
  return place.path.starts_with(top.path + "/");
}

// The nearest folder above a path that is there.
Result<UniqueFd> nearest(std::filesystem::path path) {
  for (;;) {
    UniqueFd fd = open_folder(path.string());
    if (fd) return fd;
    if (errno != ENOENT || !path.has_parent_path() || path == path.parent_path())
      return fail_errno(errno, fmt::format("open {}", shown(path.string())));
    path = path.parent_path();
  }
}

// Up the parents as well, by device and inode: a folder below a mount point in the volume is not at
// a place of its file system, and still would be written to.
Result<bool> has_above(int folder, int top) {
  struct stat wanted {};
  if (::fstat(top, &wanted) != 0) return fail_errno(errno, "look at the volume");
  UniqueFd at(::openat(folder, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (struct stat last{};;) {
    struct stat info {};
    if (!at || ::fstat(at.get(), &info) != 0) return fail_errno(errno, "look at the folders above");
    if (info.st_dev == wanted.st_dev && info.st_ino == wanted.st_ino) return true;
    if (info.st_dev == last.st_dev && info.st_ino == last.st_ino) return false;  // the root
    last = info;
    at = UniqueFd(::openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
}

Result<bool> is_inside(int folder, int top) {
  TRY(const bool above, has_above(folder, top));
  if (above) return true;
  TRY(const auto scan, MountScan::take());
  const auto place = scan.place_of(folder), of_volume = scan.place_of(top);
  return place && of_volume && is_beneath(*place, *of_volume);
}

Status refuse(const VolumeFolders& volume, int folder, const std::string& shown_as) {
  const UniqueFd now = volume.now.empty() ? UniqueFd() : open_folder(volume.now);
  for (const int top : {volume.read, now.get()}) {
    if (top < 0) continue;
    TRY(const bool inside, is_inside(folder, top));
    if (inside)
      return fail(Code::kInvalid,
                  "{} is in the volume itself, which would be archived with all earlier archives; "
                  "name a place outside of it",
                  shown(shown_as));
  }
  return {};
}

}  // namespace

Status refuse_target_inside(const VolumeFolders& volume, const std::string& folder) {
  TRY(const auto there, nearest(folder));
  return refuse(volume, there.get(), folder);
}

Status refuse_file_inside(const VolumeFolders& volume, int file) {
  struct stat info {};
  if (::fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) return {};
  std::error_code none;
  const auto path = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", file), none);
  const UniqueFd folder = none ? UniqueFd() : open_folder(path.parent_path().string());
  if (!folder) return {};  // it has no name any more
  return refuse(volume, folder.get(), path.string());
}

}  // namespace fairlead::volume
