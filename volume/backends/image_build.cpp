#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fault.h"
#include "volume/backends/image_tools.h"
#include "volume/backends/image_verbs.h"
#include "volume/kernel/fscrypt.h"

namespace fairlead::volume {

namespace {

Status encrypt_data(int data, const VolumeOptions& options) {
  if (options.encrypt.empty()) return {};
  TRY(const auto key, read_fscrypt_key(options.keyfile));
  TRY(const auto id, add_fscrypt_key(data, key));
  return encrypt_folder(data, id);
}

// Creates the folder that is handed out in the new file system, with owner and mode, and flushes
// everything to the disk.
Status make_data_folder(int mount, const VolumeOptions& options) {
  if (::mkdirat(mount, "_data", 0700) != 0) return fail_errno(errno, "make the folder _data");
  const UniqueFd data(::openat(mount, "_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!data) return fail_errno(errno, "open the folder _data");
  TRY_STATUS(encrypt_data(data.get(), options));
  if (::fchown(data.get(), options.uid, options.gid) != 0)
    return fail_errno(errno, fmt::format("give _data to {}:{}", options.uid, options.gid));
  // After the owner, because chown(2) clears setuid and setgid.
  if (::fchmod(data.get(), options.mode) != 0)
    return fail_errno(errno, fmt::format("set mode {:04o} on _data", options.mode));
  if (::syncfs(data.get()) != 0) return fail_errno(errno, "flush a new file system");
  return {};
}

// Completes the volume's folder and renames it into place.
Status finish(const VolumeTree& pool, const Volume& volume, const Folder& building,
              const ImageIdentity& identity) {
  TRY_STATUS(write_identity(building, identity));
  TRY_STATUS(building.make_folder(kMountPoint, 0700));
  TRY_STATUS(building.make_folder(kSnapshots, 0700));
  return pool.publish(volume, building);
}

// Copies what a clone is made of: the image of a snapshot, or the present image of the source.
Result<ImageIdentity> copy_source(const VolumeTree& pool, const Volume& source,
                                  const std::string& snapshot_id, int to,
                                  const Progress& progress) {
  if (snapshot_id.empty()) {
    TRY(const auto disk, ImageDisk::hold(pool, source.id));
    TRY_STATUS(disk.copy_moment(to, progress));
    return disk.identity();
  }
  TRY(const auto folder, pool.open(source.id));
  TRY(const auto identity, read_identity(folder));
  TRY(const auto image,
      open_image(folder, fmt::format("{}/{}.img", kSnapshots, snapshot_id), Open::kReadOnly));
  TRY_STATUS(verify_image(image.get(), identity));
  TRY_STATUS(share_or_copy(image.get(), to, progress));
  return identity;
}

// Gives the clone a UUID of its own where that needs only one block. An xfs keeps its UUID, and is
// always mounted with nouuid.
Result<ImageIdentity> make_own(int image, ImageIdentity identity, const std::string& id) {
  if (identity.type != "ext4") return identity;
  TRY(const auto superblock, verify_image(image, identity));
  TRY_STATUS(settle_image(image, superblock));
  TRY_STATUS(set_ext4_uuid(image, id));
  identity.uuid = id;
  return identity;
}

}  // namespace

std::uint64_t whole_blocks(std::uint64_t size) {
  return (size + kImageBlock - 1) / kImageBlock * kImageBlock;
}

Status create_image(const VolumeTree& pool, const Volume& volume) {
  const VolumeOptions& options = volume.options;
  if (!options.size) return fail(Code::kInternal, "make an image: it has no size");
  TRY(const auto building, pool.begin(volume.id));
  fault_point("volume.build.begun");
  const std::uint64_t size = whole_blocks(*options.size);
  TRY(const auto image, make_sparse_file(building, kImageName, size));
  const std::string path = fmt::format("{}/{}", building.path(), kImageName);
  TRY_STATUS(make_filesystem(path, volume.id, size, options));
  fault_point("volume.image.formatted");
  const ImageIdentity identity{image_type(options), volume.id};
  TRY(const auto superblock, verify_image(image.get(), identity));
  TRY(auto mount, mount_image(image.get(), superblock, mount_request(identity.type, {})));
  TRY_STATUS(make_data_folder(mount.get(), options));
  mount.reset();
  fault_point("volume.image.filled");
  TRY_STATUS(await_release(image.get()));
  TRY_STATUS(sync_file(image.get()));
  return finish(pool, volume, building, identity);
}

Status clone_image(const VolumeTree& pool, const Volume& volume, const Volume& source,
                   const std::string& snapshot_id, const Progress& progress) {
  const VolumeOptions& options = volume.options;
  TRY(const auto building, pool.begin(volume.id));
  fault_point("volume.build.begun");
  TRY(const auto image, make_sparse_file(building, kImageName, 0));
  TRY(auto identity, copy_source(pool, source, snapshot_id, image.get(), progress));
  if (!options.fstype.empty() && options.fstype != identity.type)
    return fail(Code::kInvalid,
                "clone volume {}: it is an {}, not an {}; leave the option fstype out",
                source.name.str(), identity.type, options.fstype);
  TRY(identity, make_own(image.get(), std::move(identity), volume.id));
  if (options.size) {
    TRY(const auto superblock, verify_image(image.get(), identity));
    const std::string path = fmt::format("{}/{}", building.path(), kImageName);
    TRY_STATUS(resize_private_image(image.get(), path, superblock, whole_blocks(*options.size)));
  }
  TRY_STATUS(sync_file(image.get()));
  return finish(pool, volume, building, identity);
}

}  // namespace fairlead::volume
