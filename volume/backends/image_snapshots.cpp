#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "base/fault.h"
#include "base/text.h"
#include "volume/backends/image_verbs.h"
#include "volume/backends/snapshot_views.h"
#include "volume/backends/users.h"
#include "volume/kernel/extents.h"

namespace fairlead::volume {

namespace {

std::string image_of(const std::string& snapshot_id) { return snapshot_id + ".img"; }

Status check_id(const std::string& snapshot_id) {
  if (is_volume_id(snapshot_id)) return {};
  return fail(Code::kInternal, "snapshot {}: its id is malformed", shown(snapshot_id));
}

Result<LoopImage> open_snapshot(const Folder& volume, const std::string& snapshot_id) {
  TRY_STATUS(check_id(snapshot_id));
  return LoopImage::open(volume, fmt::format("{}/{}", kSnapshots, image_of(snapshot_id)),
                         Open::kReadOnly);
}

// Gives the present image a second name, that of the snapshot `kept`. Returns true when that had
// been done and the image was replaced since, so that the roll-back is complete.
Result<bool> keep_present(const ImageDisk& disk, const Folder& snapshots,
                          const std::string& kept_id) {
  const std::string name = image_of(kept_id);
  if (const auto kept = LoopImage::open(snapshots, name, Open::kReadOnly)) {
    TRY(const bool same, disk.image().is_same_file(*kept));
    return !same;
  }
  if (::linkat(disk.folder().fd(), kImageName, snapshots.fd(), name.c_str(), 0) != 0)
    return fail_errno(errno, fmt::format("keep {} as a snapshot", disk.image().path()));
  TRY_STATUS(snapshots.sync());
  fault_point("volume.image.kept");
  return false;
}

// A snapshot that an older version left unclean is mounted from a private copy, whose log can be
// played back.
Result<UniqueFd> mount_recovered_copy(const Folder& volume, const LoopImage& image,
                                      const Superblock& superblock) {
  TRY(const auto snapshots, volume.folder(kSnapshots));
  TRY(const auto copy, LoopImage::make_unnamed(snapshots));
  TRY_STATUS(copy.fill_from(image, {}));
  TRY(const auto attached, attach_image(copy, superblock));
  NewMount request = attached.fs.request_for({});
  request.flags.read_only = true;
  return attached.fs.mount(std::move(request));
}

Result<UniqueFd> mount_present(const VolumeTree& pool, const Volume& volume) {
  TRY(const auto disk, ImageDisk::hold(pool, volume.id));
  TRY(const auto superblock, disk.verify());
  TRY(const auto attached, attach_image(disk.image(), superblock));
  return attached.fs.mount(volume.options);
}

}  // namespace

Result<UniqueFd> mount_image_snapshot(const Folder& volume, const std::string& snapshot_id) {
  TRY(const auto identity, read_identity(volume));
  TRY(const auto image, open_snapshot(volume, snapshot_id));
  TRY(const auto superblock, verify_image(image, identity));
  if (superblock.needs_recovery) return mount_recovered_copy(volume, image, superblock);
  TRY(const auto attached, attach_image(image, superblock, Attach::kReadOnly));
  return attached.fs.mount_read_only();
}

namespace {

// The file systems by which snapshots are mounted: that of the view, and those on loop devices that
// show one of the images. A copy that was made to be mounted is only in the view.
Result<std::vector<dev_t>> devices_of_snapshots(const Folder& volume,
                                                const std::string& snapshot_id) {
  std::vector<dev_t> devices;
  if (const auto views = volume.folder(snapshot_views::kFolder)) {
    TRY(const auto ids, snapshot_views::ids(volume));
    for (const std::string& id : ids) {
      if (!snapshot_id.empty() && id != snapshot_id) continue;
      const auto mounted = is_mount_point(views->fd(), id);
      if (!mounted || !*mounted) continue;
      TRY(const dev_t device, device_at(views->fd(), id));
      devices.push_back(device);
    }
  }
  const auto snapshots = volume.folder(kSnapshots);
  if (!snapshots && snapshots.error().code == Code::kNotFound) return devices;
  if (!snapshots) return fail(snapshots.error());
  TRY(const auto bound, bound_images());
  if (bound.empty()) return devices;
  TRY(const auto names, snapshots->names());
  for (const std::string& name : names) {
    struct stat info {};
    if (!snapshot_id.empty() && name != image_of(snapshot_id)) continue;
    if (::fstatat(snapshots->fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    for (const BoundImage& one : bound)
      if (one.device == info.st_dev && one.inode == info.st_ino)
        devices.push_back(Loop{.number = one.loop, .fd = {}}.device());
  }
  return devices;
}

}  // namespace

Result<std::string> image_snapshot_users(const Folder& volume, const std::string& snapshot_id) {
  TRY(const auto devices, devices_of_snapshots(volume, snapshot_id));
  if (devices.empty()) return std::string();
  TRY(const auto scan, MountScan::take());
  TRY(const auto base, MountScan::path_of(volume.fd()));
  const std::string own = fmt::format("{}/{}/", base, snapshot_views::kFolder);
  std::vector<MountUser> users;
  for (const dev_t device : std::set<dev_t>(devices.begin(), devices.end()))
    for (MountUser& user : scan.users_of({::major(device), ::minor(device), "/"}))
      if (!user.mount_point.starts_with(own)) users.push_back(std::move(user));
  return describe_users(users);
}

Result<std::map<std::string, std::uint64_t>> image_snapshot_space(const VolumeTree& pool,
                                                                  const Volume& volume) {
  TRY(const auto folder, pool.open(volume.id));
  std::map<std::string, std::uint64_t> space;
  for (const Snapshot& snapshot : volume.snapshots) {
    const auto image = open_snapshot(folder, snapshot.id);
    if (!image) continue;  // a missing one is not measured, and holds nothing
    TRY(const auto bytes, unshared_bytes(image->fd()));
    if (bytes) space[snapshot.id] = *bytes;
  }
  return space;
}

Status take_image_snapshot(const VolumeTree& pool, const Volume& volume, const Snapshot& snapshot,
                           const Progress& progress) {
  TRY_STATUS(check_id(snapshot.id));
  TRY(const auto disk, ImageDisk::hold(pool, volume.id));
  TRY(const auto snapshots, disk.folder().ensure_folder(kSnapshots, 0700));
  TRY(const bool there, snapshots.has(image_of(snapshot.id)));
  if (there) return {};
  TRY(auto part, PartFile::make(snapshots, image_of(snapshot.id)));
  fault_point("volume.image.snapshot-begun");
  TRY_STATUS(disk.copy_moment(part.image(), progress));
  return part.commit();
}

Status drop_image_snapshot(const VolumeTree& pool, const Volume& volume,
                           const std::string& snapshot_id) {
  TRY_STATUS(check_id(snapshot_id));
  const auto folder = pool.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return {};
  if (!folder) return fail(folder.error());
  TRY(const auto snapshots, folder->folder(kSnapshots));
  for (const std::string& ending : {std::string(), std::string(kPartEnding)}) {
    const std::string name = image_of(snapshot_id) + ending;
    if (::unlinkat(snapshots.fd(), name.c_str(), 0) != 0 && errno != ENOENT)
      return fail_errno(errno, fmt::format("remove {}/{}", snapshots.path(), name));
  }
  fault_point("volume.image.snapshot-dropped");
  return snapshots.sync();
}

// A copy of the snapshot takes the place of the image by one rename; before that the image gets a
// second name among the snapshots. After a crash the names tell which of the two steps were done.
Status roll_back_image(const VolumeTree& pool, const Volume& volume, const Snapshot& snapshot,
                       const Snapshot& kept, const Progress& progress) {
  TRY_STATUS(check_id(snapshot.id));
  TRY_STATUS(check_id(kept.id));
  TRY(const auto disk, ImageDisk::hold(pool, volume.id));
  TRY(const auto snapshots, disk.folder().ensure_folder(kSnapshots, 0700));
  if (const auto there = LoopImage::open(snapshots, image_of(kept.id), Open::kReadOnly)) {
    TRY(const bool same, disk.image().is_same_file(*there));
    if (!same) return {};
  }
  TRY_STATUS(disk.unmount());
  TRY(const auto loop, disk.image().loop());
  if (loop)
    return fail(Code::kInUse, "go back to snapshot {}: somebody has the volume mounted",
                snapshot.name.str());
  TRY(const auto source, open_snapshot(disk.folder(), snapshot.id));
  TRY_STATUS(verify_image(source, disk.identity()));
  TRY(const auto present, disk.verify());
  TRY_STATUS(settle_image(disk.image(), present));
  TRY(auto part, PartFile::make(disk.folder(), "rollback"));
  TRY_STATUS(part.image().fill_from(source, progress));
  TRY(const bool done, keep_present(disk, snapshots, kept.id));
  if (done) return {};
  return disk.replace_image(part.release());
}

Result<std::optional<std::uint64_t>> only_in_image_snapshots(const VolumeTree& pool,
                                                             const Volume& volume) {
  constexpr std::size_t kMostExtents = 200'000;  // of a file
  if (volume.snapshots.empty()) return std::nullopt;
  TRY(const auto folder, pool.open(volume.id));
  DiskRanges present, kept;
  TRY(const auto image, LoopImage::open(folder, kImageName, Open::kReadOnly));
  TRY(const bool known, add_extents(image.fd(), kMostExtents, present));
  if (!known) return std::nullopt;
  for (const Snapshot& snapshot : volume.snapshots) {
    TRY(const auto one, open_snapshot(folder, snapshot.id));
    TRY(const bool also, add_extents(one.fd(), kMostExtents, kept));
    if (!also) return std::nullopt;
  }
  return kept.bytes_beyond(present);
}

Result<UniqueFd> open_image_data(const VolumeTree& pool, const Volume& volume,
                                 const std::string& snapshot_id) {
  const auto mount_it = [&]() -> Result<UniqueFd> {
    if (snapshot_id.empty()) return mount_present(pool, volume);
    TRY(const auto folder, pool.open(volume.id));
    return mount_image_snapshot(folder, snapshot_id);
  };
  TRY(const auto mount, mount_it());
  TRY_STATUS(unlock_data(mount.get(), volume.options));
  return open_data_folder(mount.get());
}

}  // namespace fairlead::volume
