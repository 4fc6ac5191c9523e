// ImageDisk: one volume of backend image, held: its folder open, its image open and locked.
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

// What must be in an image; "ext4 0123…ef\n" in disk.id.
struct ImageIdentity {
  std::string type, uuid;
};
Status write_identity(const Folder& folder, const ImageIdentity& identity);
Result<ImageIdentity> read_identity(const Folder& folder);
// kConflict when the image holds something else: it is not mounted then.
Result<Superblock> verify_image(int image, const ImageIdentity& identity);

// What make_mount() is asked for: from the options of the volume, or the plain defaults.
NewMount mount_request(const std::string& type, const VolumeOptions& options);

// A file system in an image as a detached mount; its loop device goes with it. The image is locked
// by the caller, or is nobody else's. Where it is mounted already it is the same file system.
Result<UniqueFd> mount_image(int image, const Superblock& superblock, NewMount request);
// A snapshot's image, open for reading: what is written to it would be lost, so nothing is.
Result<UniqueFd> mount_image_read_only(int image, const Superblock& superblock);

// The key of an encrypted volume is given to its file system, which has it until it is unmounted.
// Nothing to do without the option "encrypt". kConflict for the key of another volume.
Status unlock_image(int mount, const VolumeOptions& options);

// The log played back, by mounting it once where that is needed, and mounted nowhere afterwards: a
// copy of the image is as good as an unmounted disk. kInUse when a loop device shows it.
Status settle_image(int image, const Superblock& superblock);
Status await_release(int image);

class ImageDisk {
 public:
  // Waits for the image's lock. kNotFound for a volume that is not there; kIo, naming the file,
  // when only its image is missing.
  static Result<ImageDisk> hold(const VolumeTree& pool, const std::string& id);
  // The same without waiting: nothing when somebody else has it.
  static Result<std::optional<ImageDisk>> try_hold(const VolumeTree& pool, const std::string& id);

  const Folder& folder() const { return folder_; }
  int image() const { return image_.get(); }
  std::string image_path() const { return fmt::format("{}/{}", folder_.path(), kImageName); }
  const ImageIdentity& identity() const { return identity_; }
  Result<Superblock> verify() const { return verify_image(image(), identity_); }

  Result<std::optional<Loop>> loop() const { return find_loop(image()); }
  // On fs/, in our namespace. kConflict when that is something else than this image.
  Result<bool> is_mounted() const;
  Status unmount() const;  // from fs/, and waits for the loop unless others have it mounted

  // The content of this moment into the empty file `to`, flushed. What is mounted is frozen for it,
  // and must be able to share blocks; else kUnsupported with a hint.
  Status copy_moment(int to, const Progress& progress) const;
  // Another file of this folder takes the place of the image.
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

// The mounts of the loop device that are somebody's use: not our own one on `fs`, and not the
// copies of it that other mount namespaces were made with.
std::vector<MountUser> image_users(const MountScan& scan, dev_t device, const std::string& fs_path);

// `from` into the empty file `to`, flushed: shared where that can be, else copied.
Status share_or_copy(int from, int to, const Progress& progress);

// A file that is built beside and takes its name when it is whole; gone when not committed.
class PartFile {
 public:
  static Result<PartFile> make(const Folder& folder, const std::string& name);
  PartFile(PartFile&&) = default;
  PartFile& operator=(PartFile&&) = delete;
  ~PartFile();

  int fd() const { return fd_.get(); }
  std::string path() const { return fmt::format("{}/{}", folder_->path(), part()); }
  // Flushes it and renames it; never over something that is there (kExists).
  Status commit();
  std::string release();  // its name so far; it is the caller's then

 private:
  PartFile(const Folder& folder, std::string name, UniqueFd fd)
      : folder_(&folder), name_(std::move(name)), fd_(std::move(fd)) {}
  std::string part() const { return name_ + std::string(kPartEnding); }

  const Folder* folder_;
  std::string name_;
  UniqueFd fd_;  // empty: committed, or moved from
};

}  // namespace fairlead::volume
