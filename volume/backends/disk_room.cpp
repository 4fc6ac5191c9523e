#include "volume/backends/disk_room.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

#include "base/options/values.h"

namespace fairlead::volume {

namespace {

constexpr std::uint64_t kLittle = 16 << 20, kShare = 100;
// A limit is as good as reached when less than this is free: a file system keeps some for itself.
constexpr std::uint64_t kLeast = 64 << 10;

DiskRoom room_from(const struct stat& info, const struct statvfs& disk, std::string path) {
  const std::uint64_t block = disk.f_frsize;
  return {.path = std::move(path),
          .device = info.st_dev,
          .size = disk.f_blocks * block,
          .free = disk.f_bavail * block,
          .used = (disk.f_blocks - disk.f_bfree) * block};
}

}  // namespace

Result<DiskRoom> room_of(std::string folder) {
  const std::string asked = folder;
  struct statvfs disk {};
  struct stat info {};
  while (::statvfs(folder.c_str(), &disk) != 0 || ::stat(folder.c_str(), &info) != 0) {
    if (errno != ENOENT || folder.size() <= 1)
      return fail_errno(errno, fmt::format("look at the disk below {}", asked));
    const auto slash = folder.rfind('/');
    folder = slash == 0 || slash == std::string::npos ? "/" : folder.substr(0, slash);
  }
  return room_from(info, disk, asked);
}

Result<DiskRoom> room_of(int fd, std::string path) {
  struct statvfs disk {};
  struct stat info {};
  if (::fstatvfs(fd, &disk) != 0 || ::fstat(fd, &info) != 0)
    return fail_errno(errno, fmt::format("look at the disk below {}", path));
  return room_from(info, disk, std::move(path));
}

bool is_full(const DiskRoom& room) {
  return room.size > 0 && room.free < std::min(kLittle, room.size / kShare);
}

std::string full_disk_text(const DiskRoom& room) {
  return fmt::format("the disk below {} is full ({} of {} free)", room.path, rough_size(room.free),
                     rough_size(room.size));
}

void set_health(VolumeStatus& status, Condition condition, std::string text) {
  status.condition = condition;
  status.health = std::move(text);
}

void set_health(VolumeStatus& status, const Error& error) {
  const bool gone = error.code == Code::kNotFound || error.sys_errno == ENOENT ||
                    error.text.find(" is missing") != std::string::npos;
  const bool damaged =
      error.code == Code::kConflict || error.text.find("damaged") != std::string::npos;
  set_health(status,
             gone                               ? Condition::kMissing
             : damaged                          ? Condition::kDamaged
             : error.code == Code::kUnavailable ? Condition::kOffline
                                                : Condition::kWarning,
             error.text);
}

void tell_full_disk(const Result<DiskRoom>& room, VolumeStatus& status) {
  if (!room || !is_full(*room) || status.condition != Condition::kOk) return;
  set_health(status, Condition::kDiskFull,
             full_disk_text(*room) + ": what is written to the volume fails; free space there");
}

void tell_own_limit(const Volume& volume, VolumeStatus& status) {
  if (!status.size || !status.used || *status.size == 0 || status.condition != Condition::kOk)
    return;
  const std::uint64_t size = *status.size, used = std::min(*status.used, size);
  const AutoGrow& autogrow = volume.options.autogrow;
  // what the file system keeps for itself is a part of the volume's size
  const bool at_most =
      autogrow.percent != 0 && std::max(size, volume.options.size.value_or(0)) >= autogrow.most;
  const std::string grown = at_most ? fmt::format(" and has grown to the max of autogrow ({})",
                                                  format_size(autogrow.most))
                                    : "";
  const std::string what = fmt::format(
      "remove something, or make it larger (fairlead volume resize {} +SIZE)", volume.name.str());
  if (size - used < std::min(kLeast, size / kShare))
    return set_health(
        status, Condition::kFull,
        fmt::format("it is full: all of {} is used{}; {}", rough_size(size), grown, what));
  if (at_most && used > size / 5 * 4)
    set_health(status, Condition::kWarning,
               fmt::format("it is {} % full{}; {}", used * 100 / size, grown, what));
}

}  // namespace fairlead::volume
