#include "volume/backends/image_health.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "base/text.h"
#include "volume/backends/disk_room.h"
#include "volume/kernel/fscrypt.h"
#include "volume/kernel/mount.h"
#include "volume/kernel/mount_scan.h"

namespace fairlead::volume {

namespace {

// Whether the kernel has counted errors of the ext4 on the device since it was checked last.
// (Documentation/ABI/testing/sysfs-fs-ext4)
bool has_counted_errors(const Folder& folder) {
  const auto device = device_at(folder.fd(), kMountPoint);
  if (!device) return false;
  const auto sys =
      Folder::open(fmt::format("/sys/dev/block/{}:{}", ::major(*device), ::minor(*device)));
  const auto path = sys ? MountScan::path_of(sys->fd()) : Result<std::string>(std::string());
  if (!path || path->empty()) return false;
  const auto ext4 = Folder::open("/sys/fs/ext4" + path->substr(path->rfind('/')));
  const auto count = ext4 ? ext4->read_file("errors_count", 64) : Result<std::string>("0");
  return count && !count->empty() && count->front() != '0';
}

bool is_shut_down(const Folder& folder) {
  const UniqueFd fs(
      ::openat(folder.fd(), kMountPoint, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  return !fs && errno == EIO;
}

std::string what_to_do(const Volume& volume, const VolumeStatus& status) {
  return status.in_use.value_or(false)
             ? fmt::format(
                   "stop what uses the volume, then it heals by itself (fairlead reconcile)")
             : fmt::format(
                   "it heals by itself (fairlead reconcile; else fairlead volume check "
                   "--repair {})",
                   volume.name.str());
}

}  // namespace

Stopped has_stopped(const Folder& folder, const Superblock& superblock, bool is_mounted) {
  if (superblock.has_errors)
    return superblock.write_failed ? Stopped::kWriteFailed : Stopped::kDamaged;
  if (!is_mounted) return Stopped::kNo;
  const bool stopped =
      superblock.type == "ext4" ? has_counted_errors(folder) : is_shut_down(folder);
  return stopped ? Stopped::kWriteFailed : Stopped::kNo;
}

void tell_stopped(Stopped stopped, const Result<DiskRoom>& room, const Volume& volume,
                  VolumeStatus& status) {
  if (stopped == Stopped::kNo) return;
  if (stopped == Stopped::kDamaged)
    return set_health(
        status, Condition::kDamaged,
        fmt::format("the file system is damaged; stop what uses the volume, and run a "
                    "check (fairlead volume check --repair {})",
                    volume.name.str()));
  if (room && is_full(*room))
    return set_health(status, Condition::kDiskFull,
                      fmt::format("{}, and writes of the volume failed: free space there; then {}",
                                  full_disk_text(*room), what_to_do(volume, status)));
  set_health(status, Condition::kDiskFull,
             fmt::format("the disk below was full, or failed, when the volume wrote; there is room "
                         "again: {}",
                         what_to_do(volume, status)));
}

// Neither the size of the file nor what statfs(2) calls used tells how much fits: the file system
// keeps some of it for itself.
void tell_free_blocks(const Volume& volume, const struct statfs& info, VolumeStatus& status) {
  VolumeStatus own = status;
  const auto block = static_cast<std::uint64_t>(info.f_bsize);
  own.size = static_cast<std::uint64_t>(info.f_blocks) * block;
  own.used = *own.size - static_cast<std::uint64_t>(info.f_bavail) * block;
  tell_own_limit(volume, own);
  status.condition = own.condition;
  status.health = own.health;
  if (status.condition == Condition::kOk && info.f_files > 0 && info.f_ffree == 0)
    set_health(status, Condition::kFull,
               fmt::format("it has all the files that it can have ({}); remove some, or make it "
                           "larger (fairlead volume resize {} +SIZE)",
                           info.f_files, volume.name.str()));
}

void tell_missing_key(const VolumeOptions& options, VolumeStatus& status) {
  if (options.keyfile.empty() || status.condition != Condition::kOk) return;
  const auto key = read_fscrypt_key(options.keyfile);
  if (!key)
    set_health(status, Condition::kLocked,
               fmt::format("it is locked: {}; put its key there", key.error().text));
}

}  // namespace fairlead::volume
