#include "volume/backends/image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fault.h"
#include "base/text.h"
#include "volume/backends/disk_room.h"
#include "volume/backends/fs_tools.h"
#include "volume/backends/image_health.h"
#include "volume/backends/image_verbs.h"
#include "volume/backends/lost_volumes.h"
#include "volume/backends/mount_view.h"
#include "volume/backends/option_support.h"
#include "volume/backends/snapshot_views.h"
#include "volume/backends/users.h"
#include "volume/kernel/freeze.h"
#include "volume/kernel/fscrypt.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kBackend = "image";

// Words of o= that would bypass safety: they skip the playback of the journal, or name another
// device.
constexpr std::array<std::string_view, 12> kRefusedWords{"noload",
                                                         "norecovery",
                                                         "loop",
                                                         "offset",
                                                         "sizelimit",
                                                         "sb",
                                                         "journal_path",
                                                         "journal_dev",
                                                         "logdev",
                                                         "rtdev",
                                                         "test_dummy_encryption",
                                                         "nouuid"};

class ImageBackend : public Backend {
 public:
  explicit ImageBackend(std::string root) : pool_(std::move(root)) {}

  std::string name() const override { return std::string(kBackend); }
  Status validate(const VolumeOptions& options) const override;
  Status create(const Volume& volume, Rollback& undo) override;
  Status discard(const Volume& volume) override;
  Status remove(const Volume& volume) override;
  Result<TrashState> purge(const Volume& volume, const StopRequest& stop) override {
    return pool_.purge(volume, stop);
  }
  std::string data_path(const Volume& volume) const override { return fs_path(volume) + "/_data"; }
  Result<std::string> mount(const Volume& volume) override;
  Status unmount(const Volume& volume) override;
  Result<std::string> users(const Volume& volume) override;
  Result<VolumeStatus> status(const Volume& volume) override;
  Result<bool> mend(const Volume& volume) override;
  Status write_down(const Volume& volume) override { return pool_.write_down(volume); }
  Result<std::optional<Promise>> promise(const Volume& volume) override;
  bool promises(const VolumeOptions& options) const override { return options.size.has_value(); }
  Result<std::optional<Fullness>> fill(const Volume& volume) override;
  Result<DiskRoom> room() override { return pool_.room(); }
  Result<std::vector<FoundVolume>> find_lost(
      const std::function<Result<bool>(const std::string& id)>& is_known) override;

  Status resize(const Volume& volume, std::uint64_t size) override {
    return resize_image(pool_, volume, size);
  }
  Status take_snapshot(const Volume& volume, const Snapshot& snapshot,
                       const Progress& progress) override {
    return take_image_snapshot(pool_, volume, snapshot, progress);
  }
  Result<std::unique_ptr<MomentPart>> begin_moment(const Volume& volume,
                                                   const Snapshot& snapshot) override {
    TRY(auto part, begin_image_moment(pool_, volume, snapshot));
    if (part == nullptr) return Backend::begin_moment(volume, snapshot);
    return part;
  }
  Status drop_snapshot(const Volume& volume, const std::string& snapshot_id) override {
    return drop_image_snapshot(pool_, volume, snapshot_id);
  }
  Status roll_back(const Volume& volume, const Snapshot& snapshot, const Snapshot& kept,
                   const Progress& progress) override {
    return roll_back_image(pool_, volume, snapshot, kept, progress);
  }
  Status clone(const Volume& volume, const Volume& source, const std::string& snapshot_id,
               Rollback& undo, const Progress& progress) override;
  Result<CheckReport> check(const Volume& volume, bool repair, const Progress& progress) override {
    return check_image(pool_, volume, repair, progress);
  }
  Result<UniqueFd> open_data(const Volume& volume, const std::string& snapshot_id) override {
    return open_image_data(pool_, volume, snapshot_id);
  }
  Result<VolumeStatus> usage(const Volume& volume, const Progress&) override {
    TRY(auto found, status(volume));
    if (const auto kept = only_in_image_snapshots(pool_, volume)) found.only_in_snapshots = *kept;
    return found;
  }
  Result<std::string> mount_snapshot(const Volume& volume, const std::string& snapshot_id) override;
  Status unmount_snapshot(const Volume& volume, const std::string& snapshot_id) override;
  std::string snapshot_path(const Volume& volume, const std::string& snapshot_id) const override {
    return snapshot_views::path_of(pool_.path_of(volume.id), snapshot_id);
  }
  Result<std::vector<std::string>> mounted_snapshots(const Volume& volume) override;
  Result<std::string> snapshot_users(const Volume& volume, const std::string& snapshot_id) override;
  Result<std::map<std::string, std::uint64_t>> snapshot_space(const Volume& volume) override {
    return image_snapshot_space(pool_, volume);
  }
  Status restore(const Volume& volume) override {
    return pool_.from_trash(volume.id, volume.deleted);
  }
  ReconcileReport sweep(long long now,
                        const std::function<Result<bool>(const std::string& id)>& is_known,
                        const StopRequest& stop) override;

 private:
  std::string fs_path(const Volume& volume) const {
    return fmt::format("{}/vol/{}/{}", pool_.root(), volume.id, kMountPoint);
  }
  Result<Folder> open_folder(const Volume& volume) const;
  Status mount_held(const ImageDisk& disk, const VolumeOptions& options);
  Status fill_status(const Volume& volume, VolumeStatus& status);
  Status measure_mounted(const Volume& volume, const Folder& folder, VolumeStatus& status);
  void tidy(const std::string& id, ReconcileReport& report) const;

  VolumeTree pool_;
  IdMaps id_maps_;
  RecentMountScan recent_;
};

Status ImageBackend::validate(const VolumeOptions& options) const {
  if (!options.size && options.from_volume.empty())
    return fail(Code::kInvalid,
                "backend image needs the volume option \"size\": how large the file system is at "
                "most, as size=10g; space is taken as it is written");
  TRY_STATUS(check_fs_request(options));
  TRY_STATUS(check_autogrow(options));
  if (!options.encrypt.empty() && !kernel_has_fscrypt())
    return fail(Code::kUnsupported,
                "volume option encrypt is not available here: this kernel has no fscrypt for ext4; "
                "encrypt the disk below {}",
                pool_.root());
  if (!options.keyfile.empty()) TRY_STATUS(read_fscrypt_key(options.keyfile));
  if (!options.compress.empty() && options.compress != "off")
    return fail(Code::kUnsupported,
                "volume option compress is not available with backend image; use backend=btrfs");
  for (const std::string& word : options.mount_options)
    if (std::ranges::find(kRefusedWords, std::string_view(word).substr(0, word.find('='))) !=
        kRefusedWords.end())
      return fail(Code::kInvalid,
                  "volume option o={} is not allowed with backend image: it could "
                  "damage the file system; leave it out",
                  shown(word));
  if (::access("/dev/loop-control", F_OK) != 0)
    return fail(Code::kUnsupported,
                "backend image is not available here: this kernel has no loop devices; is the "
                "module loop loaded?");
  return {};
}

Status ImageBackend::create(const Volume& volume, Rollback& undo) {
  if (const auto there = pool_.has(volume.id); there && *there) return {};
  undo.push([this, volume] { (void)discard(volume); });  // reconcile finds what stays
  return create_image(pool_, volume);
}

Status ImageBackend::clone(const Volume& volume, const Volume& source,
                           const std::string& snapshot_id, Rollback& undo,
                           const Progress& progress) {
  if (const auto there = pool_.has(volume.id); there && *there) return {};
  undo.push([this, volume] { (void)discard(volume); });
  return clone_image(pool_, volume, source, snapshot_id, progress);
}

Status ImageBackend::discard(const Volume& volume) {
  if (const auto there = pool_.has(volume.id); there && *there) {
    TRY_STATUS(unmount(volume));
    TRY(const auto folder, pool_.open(volume.id));
    TRY_STATUS(snapshot_views::remove_all(folder, Unmount::kLazy));
  }
  return pool_.discard(volume.id);
}

// A damaged image does not keep a volume from being removed; somebody who is using it does.
Status ImageBackend::remove(const Volume& volume) {
  const auto folder = pool_.open(volume.id);
  if (!folder) return pool_.to_trash(volume);
  auto freed = unmount(volume);
  if (!freed && freed.error().code != Code::kInUse)
    freed = volume::unmount(folder->fd(), kMountPoint);
  if (!freed) return freed;
  TRY_STATUS(snapshot_views::remove_all(*folder, Unmount::kLazy));
  return pool_.to_trash(volume);
}

// Opens the folder of a volume that has a record: a missing folder was lost, which is kIo and not
// kNotFound.
Result<Folder> ImageBackend::open_folder(const Volume& volume) const {
  auto folder = pool_.open(volume.id);
  if (folder || folder.error().code != Code::kNotFound) return folder;
  return fail(Code::kIo,
              "the folder {}/vol/{} is missing: it was moved or deleted by hand; put it back, or "
              "remove the volume",
              pool_.root(), volume.id);
}

Status ImageBackend::mount_held(const ImageDisk& disk, const VolumeOptions& options) {
  TRY(const auto superblock, disk.verify());
  TRY(const auto attached, attach_image(disk.image(), superblock));
  TRY(const auto mount, attached.fs.mount(options));
  TRY_STATUS(unlock_data(mount.get(), options));
  TRY_STATUS(id_maps_.apply(mount.get(), id_lines(options)));
  fault_point("volume.image.mounted");
  if (::faccessat(mount.get(), "_data", F_OK, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, fmt::format("find the folder _data in {}", disk.image().path()));
  TRY_STATUS(attach(mount.get(), disk.folder().fd(), kMountPoint));
  fault_point("volume.image.in-place");
  return {};
}

Result<std::string> ImageBackend::mount(const Volume& volume) {
  TRY_STATUS(open_folder(volume));
  TRY(const auto disk, ImageDisk::hold(pool_, volume.id));
  TRY_STATUS(disk.folder().ensure_folder(kMountPoint, 0700));
  TRY(const bool mounted, disk.is_mounted());
  if (!mounted) TRY_STATUS(mount_held(disk, volume.options));
  return data_path(volume);
}

Status ImageBackend::unmount(const Volume& volume) {
  const auto disk = ImageDisk::hold(pool_, volume.id);
  if (!disk && disk.error().code == Code::kNotFound) return {};
  if (!disk) return fail(disk.error());
  return disk->unmount();
}

Result<std::string> ImageBackend::users(const Volume& volume) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return std::string();
  if (!folder) return fail(folder.error());
  const auto image = LoopImage::open(*folder, kImageName, Open::kReadOnly);
  if (!image && image.error().code == Code::kNotFound) return std::string();
  if (!image) return fail(image.error());
  TRY(const auto loop, image->loop());
  if (!loop) return std::string();
  TRY(const auto scan, MountScan::take());
  const auto users = image_users(scan, loop->device(), *folder, fs_path(volume));
  return describe_users(users);
}

// --- mounted snapshots

Result<std::string> ImageBackend::mount_snapshot(const Volume& volume,
                                                 const std::string& snapshot_id) {
  TRY_STATUS(open_folder(volume));
  TRY(const auto disk, ImageDisk::hold(pool_, volume.id));
  TRY(const auto views, snapshot_views::prepare(disk.folder(), snapshot_id));
  TRY_STATUS(views.ensure_folder(snapshot_id, 0700));
  TRY(const bool mounted, is_mount_point(views.fd(), snapshot_id));
  if (mounted) return snapshot_path(volume, snapshot_id);
  TRY(const auto mount, mount_image_snapshot(disk.folder(), snapshot_id));
  MountFlags flags = view_flags(volume.options);
  flags.read_only = true;
  TRY_STATUS(set_flags(mount.get(), flags));
  TRY_STATUS(unlock_data(mount.get(), volume.options));
  TRY_STATUS(id_maps_.apply(mount.get(), id_lines(volume.options)));
  fault_point("volume.image.snapshot-mounted");
  TRY_STATUS(attach(mount.get(), views.fd(), snapshot_id));
  return snapshot_path(volume, snapshot_id);
}

Status ImageBackend::unmount_snapshot(const Volume& volume, const std::string& snapshot_id) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return {};
  if (!folder) return fail(folder.error());
  return snapshot_views::remove(*folder, snapshot_id, Unmount::kLazy);
}

Result<std::vector<std::string>> ImageBackend::mounted_snapshots(const Volume& volume) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return std::vector<std::string>();
  if (!folder) return fail(folder.error());
  return snapshot_views::ids(*folder);
}

Result<std::string> ImageBackend::snapshot_users(const Volume& volume,
                                                 const std::string& snapshot_id) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return std::string();
  if (!folder) return fail(folder.error());
  return image_snapshot_users(*folder, snapshot_id);
}

Status ImageBackend::measure_mounted(const Volume& volume, const Folder& folder,
                                     VolumeStatus& status) {
  TRY(const dev_t device, device_at(folder.fd(), kMountPoint));
  TRY(const auto scan, recent_.get());
  status.in_use = !image_users(*scan, device, folder, fs_path(volume)).empty();
  const UniqueFd fs(::openat(folder.fd(), kMountPoint, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct statfs info {};
  if (!fs || ::fstatfs(fs.get(), &info) != 0) return fail_errno(errno, "look at a file system");
  status.used = static_cast<std::uint64_t>(info.f_blocks - info.f_bfree) *
                static_cast<std::uint64_t>(info.f_bsize);
  status.inodes = info.f_files;
  status.inodes_used = info.f_files - info.f_ffree;
  tell_free_blocks(volume, info, status);
  return {};
}

Status ImageBackend::fill_status(const Volume& volume, VolumeStatus& status) {
  TRY(const auto folder, open_folder(volume));
  TRY(const auto image, LoopImage::open(folder, kImageName, Open::kReadOnly));
  TRY(const auto size, image.size());
  status.size = size.length;
  status.used = size.allocated;
  TRY(const auto identity, read_identity(folder));
  TRY(const auto superblock, verify_image(image, identity));
  status.in_use = false;
  const auto mounted = is_mount_point(folder.fd(), kMountPoint);
  const bool is_mounted = mounted && *mounted;
  if (is_mounted) TRY_STATUS(measure_mounted(volume, folder, status));
  const auto room = room_of(image.fd(), pool_.root());
  tell_stopped(has_stopped(folder, superblock, is_mounted), room, volume, status);
  tell_full_disk(room, status);
  if (!is_mounted) tell_missing_key(volume.options, status);
  return {};
}

Result<VolumeStatus> ImageBackend::status(const Volume& volume) {
  VolumeStatus status{.backend = std::string(kBackend), .health = "ok"};
  if (const auto filled = fill_status(volume, status); !filled) set_health(status, filled.error());
  return status;
}

// An image whose file system has stopped because the disk below was full goes on once there is room
// and nobody uses it: its log is played back, and fsck takes the mark of errors away.
Result<bool> ImageBackend::mend(const Volume& volume) {
  TRY(const auto disk, ImageDisk::hold(pool_, volume.id));
  TRY(const auto superblock, disk.verify());
  TRY(const bool mounted, disk.is_mounted());
  const Stopped stopped = has_stopped(disk.folder(), superblock, mounted);
  const auto room = room_of(disk.image().fd(), pool_.root());
  if (stopped != Stopped::kWriteFailed || !room || is_full(*room)) return false;
  TRY(const auto users, users(volume));
  if (!users.empty()) return false;
  TRY_STATUS(disk.unmount());
  fault_point("volume.image.heal-unmounted");
  TRY_STATUS(settle_image(disk.image(), superblock));
  if (superblock.type == "ext4") {
    TRY(const bool repaired, repair_safely(disk.image().path(), superblock.type));
    if (!repaired) return false;
  }
  fault_point("volume.image.healed");
  if (mounted) TRY_STATUS(mount_held(disk, volume.options));
  return true;
}

Result<std::optional<Promise>> ImageBackend::promise(const Volume& volume) {
  const auto folder = pool_.open(volume.id);
  if (!folder) return std::nullopt;  // its data is missing, and takes nothing
  const auto image = LoopImage::open(*folder, kImageName, Open::kReadOnly);
  if (!image) return std::nullopt;
  TRY(const auto size, image->size());
  TRY(const auto room, room_of(image->fd(), image->path()));
  return Promise{.device = room.device, .size = size.length, .taken = size.allocated};
}

Result<std::optional<Fullness>> ImageBackend::fill(const Volume& volume) {
  TRY(const auto folder, open_folder(volume));
  TRY(const bool mounted, is_mount_point(folder.fd(), kMountPoint));
  if (!mounted) return std::nullopt;
  const UniqueFd fs(::openat(folder.fd(), kMountPoint, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct statfs info {};
  if (!fs || ::fstatfs(fs.get(), &info) != 0) return fail_errno(errno, "look at a file system");
  const auto block = static_cast<std::uint64_t>(info.f_bsize);
  return Fullness{.size = static_cast<std::uint64_t>(info.f_blocks) * block,
                  .free = static_cast<std::uint64_t>(info.f_bavail) * block,
                  .inodes = info.f_files,
                  .inodes_free = info.f_ffree};
}

Result<std::vector<FoundVolume>> ImageBackend::find_lost(
    const std::function<Result<bool>(const std::string& id)>& is_known) {
  return find_lost_volumes(pool_, is_known);
}

// Removes what killed verbs left in a volume that nobody works on: thaws a frozen file system and
// deletes unfinished files.
void ImageBackend::tidy(const std::string& id, ReconcileReport& report) const {
  const auto disk = ImageDisk::try_hold(pool_, id);
  if (!disk || !*disk) return;  // not an image, or somebody works on it
  const Folder& folder = (*disk)->folder();
  if (const auto mounted = (*disk)->is_mounted(); mounted && *mounted) {
    const UniqueFd fs(
        ::openat(folder.fd(), kMountPoint, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (const auto thawed = thaw_left_over(fs.get()); thawed && *thawed)
      report.actions.push_back(fmt::format("thawed the file system of volume {}", id));
  }
  const auto snapshots = folder.folder(kSnapshots);
  for (const Folder* place : {&folder, snapshots ? &*snapshots : nullptr}) {
    if (place == nullptr) continue;
    const auto names = place->names();
    if (!names) continue;
    for (const std::string& name : *names)
      if (name.ends_with(kPartEnding) && ::unlinkat(place->fd(), name.c_str(), 0) == 0)
        report.actions.push_back(fmt::format("removed the unfinished {}/{}", place->path(), name));
  }
}

ReconcileReport ImageBackend::sweep(
    long long now, const std::function<Result<bool>(const std::string& id)>& is_known,
    const StopRequest& stop) {
  ReconcileReport report = pool_.sweep(now, is_known, stop);
  const auto names = pool_.volumes();
  if (!names) {
    report.failures.push_back(fmt::format("sweep {}: {}", pool_.root(), names.error().text));
    return report;
  }
  for (const std::string& id : *names) {
    if (stop && stop()) break;
    tidy(id, report);
  }
  return report;
}

}  // namespace

std::unique_ptr<Backend> make_image_backend(std::string root) {
  return std::make_unique<ImageBackend>(std::move(root));
}

}  // namespace fairlead::volume
