// ImageDisk: one volume of backend image, with its folder open and its image open and locked.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "volume/api/backend.h"
#include "volume/backends/device_fs.h"
#include "volume/backends/loop_image.h"
#include "volume/backends/volume_tree.h"

namespace fairlead::volume {

inline constexpr const char* kImageName = "disk.img";
inline constexpr const char* kIdentityName = "disk.id";
inline constexpr const char* kMountPoint = "fs";
inline constexpr const char* kSnapshots = "snapshots";
inline constexpr std::string_view kPartEnding = ".part";

// The file system that an image has to hold; stored as "ext4 0123…ef\n" in disk.id.
Status write_identity(const Folder& folder, const FsIdentity& identity);
Result<FsIdentity> read_identity(const Folder& folder);
// kConflict when the image holds something else, so that it is never mounted.
Result<Superblock> verify_image(const LoopImage& image, const FsIdentity& identity);

// An image that a loop device shows as long as this object lives, and what is on that device.
struct AttachedImage {
  Loop loop;
  FileSystemOnDevice fs;
};
// The caller holds the image's lock, or is the only one who knows the image. An image that is open
// for reading only is attached read-only.
enum class Attach { kReadWrite, kReadOnly };
Result<AttachedImage> attach_image(const LoopImage& image, const Superblock& superblock,
                                   Attach how = Attach::kReadWrite);

// Has the log played back, by mounting the image once where that is needed. Afterwards it is
// mounted nowhere, and a copy of it is as good as an unmounted disk. kInUse when a loop device is
// bound to it.
Status settle_image(const LoopImage& image, const Superblock& superblock);

class ImageDisk {
 public:
  // Waits for the image's lock. kNotFound when there is no such volume; kIo, naming the file, when
  // only its image is missing.
  static Result<ImageDisk> hold(const VolumeTree& pool, const std::string& id);
  // The same without waiting: std::nullopt when somebody else holds the lock.
  static Result<std::optional<ImageDisk>> try_hold(const VolumeTree& pool, const std::string& id);

  const Folder& folder() const { return folder_; }
  const LoopImage& image() const { return image_; }
  const FsIdentity& identity() const { return identity_; }
  Result<Superblock> verify() const { return verify_image(image_, identity_); }

  // Whether the image is mounted on fs/ in our namespace. kConflict when something else is.
  Result<bool> is_mounted() const;
  // from fs/; waits until the loop device is free, unless others have it mounted
  Status unmount() const;

  // Copies the content of this moment into the empty file `to` and flushes it. A mounted file
  // system is frozen for it and must be able to share blocks; else kUnsupported with a hint.
  Status copy_moment(const LoopImage& to, const Progress& progress) const;
  // Shares the blocks of the image into the empty file `to`, without flushing; kUnsupported, with a
  // hint for a mounted volume, where the file system below cannot.
  Status share_into(const LoopImage& to) const;
  // Puts the file `part` of this folder in the place of the image.
  Status replace_image(const std::string& part) const;

 private:
  ImageDisk(Folder folder, LoopImage image, FsIdentity identity)
      : folder_(std::move(folder)), image_(std::move(image)), identity_(std::move(identity)) {}
  static Result<std::optional<ImageDisk>> open(const VolumeTree& pool, const std::string& id,
                                               std::chrono::milliseconds deadline);
  Status freeze_and_share(const Superblock& superblock, const LoopImage& to) const;

  Folder folder_;
  LoopImage image_;
  FsIdentity identity_;
};

// The mounts of the loop device by which somebody uses it: all but our own mount on `fs` and the
// copies of that mount which other mount namespaces were created with.
// `fs_path` is `fs` in `folder`, the volume's own.
std::vector<MountUser> image_users(const MountScan& scan, dev_t device, const Folder& folder,
                                   const std::string& fs_path);

// An image that is written under a temporary name and renamed when it is complete. It is removed if
// it was not committed.
class PartFile {
 public:
  static Result<PartFile> make(const Folder& folder, const std::string& name);
  PartFile(PartFile&& other) noexcept
      : folder_(other.folder_),
        name_(std::move(other.name_)),
        image_(std::exchange(other.image_, std::nullopt)) {}
  PartFile& operator=(PartFile&&) = delete;
  ~PartFile();

  const LoopImage& image() const { return *image_; }
  // Flushes the file and renames it. kExists when the name is taken; nothing is ever replaced.
  Status commit();
  std::string release();  // returns its temporary name; the caller owns the file then

 private:
  PartFile(const Folder& folder, std::string name, LoopImage image)
      : folder_(&folder), name_(std::move(name)), image_(std::move(image)) {}
  std::string part() const { return name_ + std::string(kPartEnding); }

  const Folder* folder_;
  std::string name_;
  std::optional<LoopImage> image_;  // empty once committed, released or moved from
};

}  // namespace fairlead::volume
