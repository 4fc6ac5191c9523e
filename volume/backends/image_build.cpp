#include "base/fault.h"
#include "volume/backends/fs_tools.h"
#include "volume/backends/image_verbs.h"

namespace fairlead::volume {

namespace {

// Makes the folder that is handed out in the new file system.
Status fill(const LoopImage& image, const FsIdentity& identity, const VolumeOptions& options) {
  TRY(const auto superblock, verify_image(image, identity));
  TRY(const auto attached, attach_image(image, superblock));
  TRY(const auto mount, attached.fs.mount(VolumeOptions{}));
  return make_data_folder(mount.get(), options);
}

// Completes the volume's folder and renames it into place.
Status finish(const VolumeTree& pool, const Volume& volume, const Folder& building,
              const FsIdentity& identity) {
  TRY_STATUS(write_identity(building, identity));
  TRY_STATUS(building.make_folder(kMountPoint, 0700));
  TRY_STATUS(building.make_folder(kSnapshots, 0700));
  return pool.publish(volume, building);
}

// Copies what a clone is made of: the image of a snapshot, or the present image of the source.
Result<FsIdentity> copy_source(const VolumeTree& pool, const Volume& source,
                               const std::string& snapshot_id, const LoopImage& to,
                               const Progress& progress) {
  if (snapshot_id.empty()) {
    TRY(const auto disk, ImageDisk::hold(pool, source.id));
    TRY_STATUS(disk.copy_moment(to, progress));
    return disk.identity();
  }
  TRY(const auto folder, pool.open(source.id));
  TRY(const auto identity, read_identity(folder));
  TRY(const auto image,
      LoopImage::open(folder, fmt::format("{}/{}.img", kSnapshots, snapshot_id), Open::kReadOnly));
  TRY_STATUS(verify_image(image, identity));
  TRY_STATUS(to.fill_from(image, progress));
  return identity;
}

// Gives the clone a UUID of its own where that needs only one block. An xfs keeps its UUID, and is
// always mounted with nouuid.
Result<FsIdentity> make_own(const LoopImage& image, FsIdentity identity, const std::string& id) {
  if (identity.type != "ext4") return identity;
  TRY(const auto superblock, verify_image(image, identity));
  TRY_STATUS(settle_image(image, superblock));
  TRY_STATUS(set_ext4_uuid(image.fd(), id));
  identity.uuid = id;
  return identity;
}

}  // namespace

std::uint64_t whole_blocks(std::uint64_t size) {
  return (size + kFsBlock - 1) / kFsBlock * kFsBlock;
}

Status create_image(const VolumeTree& pool, const Volume& volume) {
  const VolumeOptions& options = volume.options;
  if (!options.size) return fail(Code::kInternal, "make an image: it has no size");
  TRY(const auto building, pool.begin(volume.id));
  fault_point("volume.build.begun");
  const std::uint64_t size = whole_blocks(*options.size);
  TRY(const auto image, LoopImage::make(building, kImageName, size));
  const FsIdentity identity{fs_type(options), volume.id};
  TRY_STATUS(FileSystemOnDevice::make(image.path(), identity, size, options, Storage::kZeroed));
  fault_point("volume.image.formatted");
  TRY_STATUS(fill(image, identity, options));
  fault_point("volume.image.filled");
  TRY_STATUS(image.await_release());
  TRY_STATUS(image.sync());
  return finish(pool, volume, building, identity);
}

Status clone_image(const VolumeTree& pool, const Volume& volume, const Volume& source,
                   const std::string& snapshot_id, const Progress& progress) {
  const VolumeOptions& options = volume.options;
  TRY(const auto building, pool.begin(volume.id));
  fault_point("volume.build.begun");
  TRY(const auto image, LoopImage::make(building, kImageName, 0));
  TRY(auto identity, copy_source(pool, source, snapshot_id, image, progress));
  if (!options.fstype.empty() && options.fstype != identity.type)
    return fail(Code::kInvalid,
                "clone volume {}: it is an {}, not an {}; leave the option fstype out",
                source.name.str(), identity.type, options.fstype);
  TRY(identity, make_own(image, std::move(identity), volume.id));
  if (options.size) {
    TRY(const auto superblock, verify_image(image, identity));
    TRY_STATUS(resize_private_image(image, superblock, whole_blocks(*options.size)));
  }
  TRY_STATUS(image.sync());
  return finish(pool, volume, building, identity);
}

}  // namespace fairlead::volume
