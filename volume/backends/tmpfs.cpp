#include "volume/backends/tmpfs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "base/fault.h"
#include "base/text.h"
#include "volume/backends/disk_room.h"
#include "volume/backends/folder_backend.h"
#include "volume/backends/option_support.h"
#include "volume/backends/users.h"
#include "volume/kernel/mount.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kBackend = "tmpfs";
constexpr const char* kFs = "fs";
// of the folder above _data; _data has the mode that was asked for
constexpr mode_t kTopMode = 0711;

// Words of Podman, and of mount(8), that mean nothing to a file system without a device.
constexpr std::array<std::string_view, 4> kNothing{"async", "nocopy", "noquota", "relatime"};
// What tmpfs(5) takes besides size, nr_inodes, mode, uid and gid, which are options of their own.
constexpr std::array<std::string_view, 5> kKnown{"huge", "mpol", "noswap", "inode32", "inode64"};

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::ranges::find(words, word.substr(0, word.find('='))) != words.end();
}

NewMount mount_of(const VolumeOptions& options) {
  MountWords words = sort_mount_words(options.mount_options);
  std::erase_if(words.rest, [](const std::string& word) { return is_one_of(word, kNothing); });
  NewMount what{.type = "tmpfs", .source = "tmpfs", .options = std::move(words.rest)};
  if (options.size) what.options.push_back(fmt::format("size={}", *options.size));
  // The top folder and _data take an inode each; the limit counts only _data.
  if (options.inodes) what.options.push_back(fmt::format("nr_inodes={}", *options.inodes + 1));
  what.options.push_back(fmt::format("mode={:o}", kTopMode));
  what.flags = words.flags;
  what.flags.read_only = words.flags.read_only || options.access == Access::kReadOnly;
  return what;
}

class TmpfsBackend : public FolderBackend {
 public:
  explicit TmpfsBackend(std::string root) : FolderBackend(std::move(root)) {}

  std::string name() const override { return std::string(kBackend); }
  Status validate(const VolumeOptions& options) const override;
  Status create(const Volume& volume, Rollback& undo) override;
  Status remove(const Volume& volume) override;
  std::string data_path(const Volume& volume) const override {
    return fmt::format("{}/{}/_data", pool_.path_of(volume.id), kFs);
  }
  Result<std::string> mount(const Volume& volume) override;
  Status unmount(const Volume& volume) override;
  // The memory is gone, so there is nothing to restore.
  Status restore(const Volume& volume) override { return Backend::restore(volume); }
  Result<VolumeStatus> status(const Volume& volume) override;
  Result<UniqueFd> open_data(const Volume& volume, const std::string& snapshot_id) override;

 private:
  Result<std::string> users_in(const MountScan& scan, const Folder& folder) const override;
};

Status TmpfsBackend::validate(const VolumeOptions& options) const {
  TRY_STATUS(refuse_unsupported(kBackend, options,
                                {"size", "inodes", "uid", "gid", "mode", "type", "device"}));
  for (const std::string& word : sort_mount_words(options.mount_options).rest)
    if (!is_one_of(word, kNothing) && !is_one_of(word, kKnown))
      return fail(Code::kUnsupported,
                  "volume option o={} is unknown to tmpfs; it has size, inodes, "
                  "mode, uid, gid, {}",
                  shown(word), fmt::join(kKnown, ", "));
  return {};
}

Status TmpfsBackend::create(const Volume& volume, Rollback& undo) {
  if (const auto there = pool_.has(volume.id); there && *there) return {};
  TRY(const auto building, begin(volume, undo));
  TRY_STATUS(building.make_folder(kFs, 0700));
  return pool_.publish(volume, building);
}

Result<std::string> TmpfsBackend::mount(const Volume& volume) {
  TRY(const auto folder, open_existing(volume));
  const VolumeOptions& options = volume.options;
  TRY(const bool mounted, is_mount_point(folder.fd(), kFs));
  if (mounted) return data_path(volume);
  NewMount what = mount_of(options);
  const bool read_only = std::exchange(what.flags.read_only, false);
  TRY(const auto mount, make_mount(what));
  TRY(const auto top, Folder::open(fmt::format("/proc/self/fd/{}", mount.get())));
  TRY(const auto data, top.make_folder("_data", 0700));
  TRY_STATUS(data.set_owner(options.uid, options.gid));
  // after the owner, because chown(2) clears setuid and setgid
  TRY_STATUS(data.set_mode(options.mode));
  if (read_only) {
    what.flags.read_only = true;
    TRY_STATUS(set_flags(mount.get(), what.flags));
  }
  fault_point("volume.tmpfs.made");
  TRY_STATUS(attach(mount.get(), folder.fd(), kFs));
  fault_point("volume.tmpfs.attached");
  return data_path(volume);
}

// Our mount stays while a container still has its own (a lost Unmount, live-restore), because
// otherwise the next container would get another, empty file system.
Status TmpfsBackend::unmount(const Volume& volume) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return {};
  if (!folder) return fail(folder.error());
  TRY(const auto users, users(volume));
  if (!users.empty()) return {};
  return volume::unmount(folder->fd(), kFs, Unmount::kLazy);
}

Status TmpfsBackend::remove(const Volume& volume) {
  const auto folder = pool_.open(volume.id);
  if (folder) TRY_STATUS(volume::unmount(folder->fd(), kFs, Unmount::kLazy));
  return pool_.to_trash(volume);
}

Result<std::string> TmpfsBackend::users_in(const MountScan& scan, const Folder& folder) const {
  static const OwnMounts kOwn{kFs};
  TRY(const auto place, mounted_at(scan, folder, kFs));
  return users_text(scan, folder, place ? std::vector{*place} : std::vector<FsPlace>{}, kOwn);
}

void measure(const Folder& folder, VolumeStatus& status) {
  struct statvfs info {};
  const auto fs = folder.folder(kFs);
  if (!fs || ::fstatvfs(fs->fd(), &info) != 0) return;
  status.size = std::uint64_t{info.f_blocks} * info.f_frsize;
  status.used = std::uint64_t{info.f_blocks - info.f_bfree} * info.f_frsize;
  status.inodes = info.f_files;
  status.inodes_used = info.f_files - info.f_ffree;
}

Result<VolumeStatus> TmpfsBackend::status(const Volume& volume) {
  VolumeStatus status{.backend = std::string(kBackend), .health = "ok"};
  const auto look = [&]() -> Status {
    TRY(const auto folder, open_existing(volume));
    status.size = volume.options.size;
    status.inodes = volume.options.inodes;
    TRY(const bool mounted, is_mount_point(folder.fd(), kFs));
    if (mounted) measure(folder, status);
    return tell_users(volume, status);
  };
  if (const auto seen = look(); !seen) set_health(status, seen.error());
  tell_own_limit(volume, status);
  return status;
}

Result<UniqueFd> TmpfsBackend::open_data(const Volume& volume, const std::string& snapshot_id) {
  if (!snapshot_id.empty()) return fail(Code::kNotFound, "backend tmpfs has no snapshots");
  TRY(const auto folder, open_existing(volume));
  TRY(const bool mounted, is_mount_point(folder.fd(), kFs));
  if (!mounted)
    return fail(Code::kNotFound, "it is memory, and nobody has it mounted: there is no data");
  return open_beneath(folder.fd(), fmt::format("{}/_data", kFs), O_RDONLY | O_DIRECTORY);
}

}  // namespace

std::unique_ptr<Backend> make_tmpfs_backend(std::string root) {
  return std::make_unique<TmpfsBackend>(std::move(root));
}

}  // namespace fairlead::volume
