// ImageDisk: one volume of backend image, with its folder open and its image open and locked.
#pragma once

#include <optional>
#include <string>

#include "volume/api/backend.h"
#include "volume/backends/volume_tree.h"
#include "volume/kernel/image_file.h"
#include "volume/kernel/loop.h"
#include "volume/kernel/mount.h"
#include "volume/kernel/superblock.h"

namespace fairlead::volume {

inline constexpr const char* kImageName = "disk.img";
inline constexpr const char* kIdentityName = "disk.id";
inline constexpr const char* kMountPoint = "fs";
inline constexpr const char* kSnapshots = "snapshots";
inline constexpr std::string_view kPartEnding = ".part";

// The file system that an image has to hold; stored as "ext4 0123…ef\n" in disk.id.
struct ImageIdentity {
  std::string type, uuid;
};
Status write_identity(const Folder& folder, const ImageIdentity& identity);
Result<ImageIdentity> read_identity(const Folder& folder);
// kConflict when the image holds something else, so that it is never mounted.
Result<Superblock> verify_image(int image, const ImageIdentity& identity);

// The request for make_mount(), by the options of the volume or by the defaults.
NewMount mount_request(const std::string& type, const VolumeOptions& options);

// Mounts the file system in an image, detached; its loop device is freed when the mount ends. The
// caller holds the image's lock, or is the only one who knows the image. When the file system is
// mounted already this is a further mount of it.
Result<UniqueFd> mount_image(int image, const Superblock& superblock, NewMount request);
// Mounts the image of a snapshot, which is open for reading. Nothing is written to it, not even the
// recovery of a log.
Result<UniqueFd> mount_image_read_only(int image, const Superblock& superblock);

// Gives the key of an encrypted volume to its file system, which keeps it until it is unmounted.
// Does nothing without the option "encrypt". kConflict when the key is that of another volume.
Status unlock_image(int mount, const VolumeOptions& options);

// Has the log played back, by mounting the image once where that is needed. Afterwards it is
// mounted nowhere, and a copy of it is as good as an unmounted disk. kInUse when a loop device is
// bound to it.
Status settle_image(int image, const Superblock& superblock);
Status await_release(int image);

class ImageDisk {
 public:
  // Waits for the image's lock. kNotFound when there is no such volume; kIo, naming the file, when
  // only its image is missing.
  static Result<ImageDisk> hold(const VolumeTree& pool, const std::string& id);
  // The same without waiting: std::nullopt when somebody else holds the lock.
  static Result<std::optional<ImageDisk>> try_hold(const VolumeTree& pool, const std::string& id);

  const Folder& folder() const { return folder_; }
  int image() const { return image_.get(); }
  std::string image_path() const { return fmt::format("{}/{}", folder_.path(), kImageName); }
  const ImageIdentity& identity() const { return identity_; }
  Result<Superblock> verify() const { return verify_image(image(), identity_); }

  Result<std::optional<Loop>> loop() const { return find_loop(image()); }
  // Whether the image is mounted on fs/ in our namespace. kConflict when something else is.
  Result<bool> is_mounted() const;
  // from fs/; waits until the loop device is free, unless others have it mounted
  Status unmount() const;

  // Copies the content of this moment into the empty file `to` and flushes it. A mounted file
  // system is frozen for it and must be able to share blocks; else kUnsupported with a hint.
  Status copy_moment(int to, const Progress& progress) const;
  // Puts the file `part` of this folder in the place of the image.
  Status replace_image(const std::string& part) const;

 private:
  ImageDisk(Folder folder, UniqueFd image, ImageIdentity identity)
      : folder_(std::move(folder)), image_(std::move(image)), identity_(std::move(identity)) {}
  static Result<std::optional<ImageDisk>> open(const VolumeTree& pool, const std::string& id,
                                               std::chrono::milliseconds deadline);
  Status freeze_and_share(const Superblock& superblock, int to) const;

  Folder folder_;
  UniqueFd image_;
  ImageIdentity identity_;
};

// The mounts of the loop device by which somebody uses it: all but our own mount on `fs` and the
// copies of that mount which other mount namespaces were created with.
std::vector<MountUser> image_users(const MountScan& scan, dev_t device, const std::string& fs_path);

// Fills the empty file `to` with the content of `from` and flushes it. Blocks are shared where
// possible, else copied.
Status share_or_copy(int from, int to, const Progress& progress);

// A file that is written under a temporary name and renamed when it is complete. It is removed if
// it was not committed.
class PartFile {
 public:
  static Result<PartFile> make(const Folder& folder, const std::string& name);
  PartFile(PartFile&&) = default;
  PartFile& operator=(PartFile&&) = delete;
  ~PartFile();

  int fd() const { return fd_.get(); }
  std::string path() const { return fmt::format("{}/{}", folder_->path(), part()); }
  // Flushes the file and renames it. kExists when the name is taken; nothing is ever replaced.
  Status commit();
  std::string release();  // returns its temporary name; the caller owns the file then

 private:
  PartFile(const Folder& folder, std::string name, UniqueFd fd)
      : folder_(&folder), name_(std::move(name)), fd_(std::move(fd)) {}
  std::string part() const { return name_ + std::string(kPartEnding); }

  const Folder* folder_;
  std::string name_;
  UniqueFd fd_;  // empty once committed, released or moved from
};

}  // namespace fairlead::volume
