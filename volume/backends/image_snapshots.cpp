#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fault.h"
#include "volume/api/text.h"
#include "volume/backends/image_verbs.h"

namespace fairlead::volume {

namespace {

std::string image_of(const std::string& snapshot_id) { return snapshot_id + ".img"; }

Status check_id(const std::string& snapshot_id) {
  if (is_volume_id(snapshot_id)) return {};
  return fail(Code::kInternal, "snapshot {}: its id is malformed", shown(snapshot_id));
}

Result<UniqueFd> open_snapshot(const Folder& volume, const std::string& snapshot_id) {
  TRY_STATUS(check_id(snapshot_id));
  return open_image(volume, fmt::format("{}/{}", kSnapshots, image_of(snapshot_id)),
                    Open::kReadOnly);
}

Result<bool> same_file(int one, int other) {
  struct stat first {
  }, second{};
  if (::fstat(one, &first) != 0 || ::fstat(other, &second) != 0)
    return fail_errno(errno, "look at an image file");
  return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

// Gives the present image a second name, that of the snapshot `kept`. Returns true when that had
// been done and the image was replaced since, so that the roll-back is complete.
Result<bool> keep_present(const ImageDisk& disk, const Folder& snapshots,
                          const std::string& kept_id) {
  const std::string name = image_of(kept_id);
  if (const auto kept = open_image(snapshots, name, Open::kReadOnly)) {
    TRY(const bool same, same_file(kept->get(), disk.image()));
    return !same;
  }
  if (::linkat(disk.folder().fd(), kImageName, snapshots.fd(), name.c_str(), 0) != 0)
    return fail_errno(errno, fmt::format("keep {} as a snapshot", disk.image_path()));
  TRY_STATUS(snapshots.sync());
  fault_point("volume.image.kept");
  return false;
}

// A private copy, whose log can be played back, of a snapshot that an older version left unclean.
Result<UniqueFd> unnamed_copy(const Folder& snapshots, int image) {
  UniqueFd copy(::openat(snapshots.fd(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!copy) return fail_errno(errno, fmt::format("make an unnamed file in {}", snapshots.path()));
  TRY_STATUS(share_or_copy(image, copy.get(), {}));
  return copy;
}

Result<UniqueFd> mount_snapshot(const Folder& volume, const std::string& snapshot_id) {
  TRY(const auto identity, read_identity(volume));
  TRY(const auto image, open_snapshot(volume, snapshot_id));
  TRY(const auto superblock, verify_image(image.get(), identity));
  if (!superblock.needs_recovery) return mount_image_read_only(image.get(), superblock);
  TRY(const auto snapshots, volume.folder(kSnapshots));
  TRY(const auto copy, unnamed_copy(snapshots, image.get()));
  NewMount request = mount_request(superblock.type, {});
  request.flags.read_only = true;
  return mount_image(copy.get(), superblock, std::move(request));
}

}  // namespace

Status take_image_snapshot(const VolumeTree& pool, const Volume& volume, const Snapshot& snapshot,
                           const Progress& progress) {
  TRY_STATUS(check_id(snapshot.id));
  TRY(const auto disk, ImageDisk::hold(pool, volume.id));
  TRY(const auto snapshots, disk.folder().ensure_folder(kSnapshots, 0700));
  TRY(const bool there, snapshots.has(image_of(snapshot.id)));
  if (there) return {};
  TRY(auto part, PartFile::make(snapshots, image_of(snapshot.id)));
  fault_point("volume.image.snapshot-begun");
  TRY_STATUS(disk.copy_moment(part.fd(), progress));
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
  if (const auto there = open_image(snapshots, image_of(kept.id), Open::kReadOnly)) {
    TRY(const bool same, same_file(there->get(), disk.image()));
    if (!same) return {};
  }
  TRY_STATUS(disk.unmount());
  TRY(const auto loop, disk.loop());
  if (loop)
    return fail(Code::kInUse, "go back to snapshot {}: somebody has the volume mounted",
                snapshot.name.str());
  TRY(const auto source, open_snapshot(disk.folder(), snapshot.id));
  TRY(const auto superblock, verify_image(source.get(), disk.identity()));
  TRY(const auto present, disk.verify());
  TRY_STATUS(settle_image(disk.image(), present));
  TRY(auto part, PartFile::make(disk.folder(), "rollback"));
  TRY_STATUS(share_or_copy(source.get(), part.fd(), progress));
  TRY(const bool done, keep_present(disk, snapshots, kept.id));
  if (done) return {};
  return disk.replace_image(part.release());
}

Result<UniqueFd> open_image_data(const VolumeTree& pool, const Volume& volume,
                                 const std::string& snapshot_id) {
  const auto mount = [&]() -> Result<UniqueFd> {
    if (!snapshot_id.empty()) {
      TRY(const auto folder, pool.open(volume.id));
      return mount_snapshot(folder, snapshot_id);
    }
    TRY(const auto disk, ImageDisk::hold(pool, volume.id));
    TRY(const auto superblock, disk.verify());
    return mount_image(disk.image(), superblock, mount_request(superblock.type, volume.options));
  }();
  if (!mount) return fail(mount.error());
  TRY_STATUS(unlock_image(mount->get(), volume.options));
  UniqueFd data(::openat(mount->get(), "_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!data) return fail_errno(errno, "open the folder _data of an image");
  return data;
}

}  // namespace fairlead::volume
