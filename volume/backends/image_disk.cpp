#include "volume/backends/image_disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "base/fault.h"
#include "volume/backends/users.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;

constexpr auto kLockDeadline = 3s;  // a runtime waits 5 s for an answer
constexpr auto kReleaseDeadline = 3s;
constexpr std::size_t kLongestIdentity = 100;
constexpr int kMostReplacements = 16;

Result<LoopImage> open_volume_image(const Folder& folder) {
  auto image = LoopImage::open(folder, kImageName, Open::kReadWrite);
  if (!image && image.error().code == Code::kNotFound)
    return fail(Code::kIo,
                "the image {}/{} is missing: it was moved or deleted by hand; put it back, or "
                "remove the volume",
                folder.path(), kImageName);
  return image;
}

}  // namespace

Status write_identity(const Folder& folder, const FsIdentity& identity) {
  return folder.write_file(kIdentityName, fmt::format("{} {}\n", identity.type, identity.uuid),
                           0600);
}

Result<FsIdentity> read_identity(const Folder& folder) {
  TRY(const auto text, folder.read_file(kIdentityName, kLongestIdentity));
  const auto space = text.find(' ');
  if (space == std::string::npos || text.size() != space + 34 || !text.ends_with('\n'))
    return fail(Code::kIo, "{}/{} is damaged: it names no file system", folder.path(),
                kIdentityName);
  return FsIdentity{text.substr(0, space), text.substr(space + 1, 32)};
}

Result<Superblock> verify_image(const LoopImage& image, const FsIdentity& identity) {
  return verify_superblock(image.fd(), identity, "image");
}

Result<AttachedImage> attach_image(const LoopImage& image, const Superblock& superblock,
                                   Attach how) {
  TRY(auto loop,
      image.attach({.block_size = superblock.sector_size, .read_only = how == Attach::kReadOnly}));
  std::string path = loop.path();
  return AttachedImage{std::move(loop), FileSystemOnDevice(std::move(path), superblock)};
}

Status settle_image(const LoopImage& image, const Superblock& superblock) {
  TRY(const auto loop, image.loop());
  if (loop) return fail(Code::kInUse, "settle an image: {} shows it", loop->path());
  if (!FileSystemOnDevice(image.path(), superblock).may_need_recovery()) return {};
  {
    TRY(const auto attached, attach_image(image, superblock));
    TRY_STATUS(attached.fs.recover());
  }
  return image.await_release();
}

Result<std::optional<ImageDisk>> ImageDisk::open(const VolumeTree& pool, const std::string& id,
                                                 std::chrono::milliseconds deadline) {
  for (int attempt = 0; attempt < kMostReplacements; ++attempt) {
    TRY(auto folder, pool.open(id));
    TRY(auto image, open_volume_image(folder));
    if (deadline.count() == 0) {
      TRY(const bool locked, image.try_lock());
      if (!locked) return std::optional<ImageDisk>();
    } else {
      TRY_STATUS(image.lock(deadline));
    }
    TRY(const bool same, image.is_at(folder, kImageName));
    if (!same) continue;  // replaced while we waited
    TRY(auto identity, read_identity(folder));
    return std::optional<ImageDisk>(
        ImageDisk(std::move(folder), std::move(image), std::move(identity)));
  }
  return fail(Code::kUnavailable, "open an image: it is replaced again and again; try again");
}

Result<ImageDisk> ImageDisk::hold(const VolumeTree& pool, const std::string& id) {
  TRY(auto disk, open(pool, id, kLockDeadline));
  return std::move(*disk);
}

Result<std::optional<ImageDisk>> ImageDisk::try_hold(const VolumeTree& pool,
                                                     const std::string& id) {
  return open(pool, id, 0ms);
}

Result<bool> ImageDisk::is_mounted() const {
  const auto something = is_mount_point(folder_.fd(), kMountPoint);
  if (!something && something.error().code != Code::kNotFound) return fail(something.error());
  if (!something || !*something) return false;
  TRY(const dev_t device, device_at(folder_.fd(), kMountPoint));
  TRY(const auto own, image_.loop());
  if (own && own->device() == device) return true;
  return fail(Code::kConflict, "something else is mounted at {}/{}; unmount it", folder_.path(),
              kMountPoint);
}

Status ImageDisk::unmount() const {
  TRY(const bool mounted, is_mounted());
  if (mounted) {
    if (auto done = volume::unmount(folder_.fd(), kMountPoint); !done)
      return fail(with_context(done.error(), fmt::format("below {}", folder_.path())));
    fault_point("volume.image.unmounted");
  }
  TRY(const bool released, wait_for_release(image_.fd(), 100ms));
  if (released) return {};
  // Others may keep it mounted in their namespaces for as long as they like. Otherwise the release
  // is only slow.
  TRY(const auto still, image_.loop());
  TRY(const auto scan, MountScan::take());
  if (!still) return {};
  const dev_t device = still->device();
  if (!scan.users_of({::major(device), ::minor(device), "/"}).empty()) return {};
  return status_of(wait_for_release(image_.fd(), kReleaseDeadline));
}

Status ImageDisk::share_into(const LoopImage& to) const {
  auto shared = to.share_from(image_);
  if (shared || shared.error().code != Code::kUnsupported) return shared;
  return fail(Code::kUnsupported,
              "it is mounted, and the file system below {} cannot share blocks: stop what uses it "
              "and try again, for a copy; or move it to a pool, where a snapshot costs nothing "
              "(fairlead pool create, then export it and import it with -o pool=NAME)",
              folder_.path());
}

Status ImageDisk::freeze_and_share(const Superblock& superblock, const LoopImage& to) const {
  TRY(const auto attached, attach_image(image_, superblock));
  TRY_STATUS(
      attached.fs.at_one_moment([&] { return image_.sync(); }, [&] { return share_into(to); }));
  return to.sync();
}

Status ImageDisk::copy_moment(const LoopImage& to, const Progress& progress) const {
  TRY(const auto superblock, verify());
  TRY(const auto bound, image_.loop());
  if (bound) return freeze_and_share(superblock, to);
  TRY_STATUS(settle_image(image_, superblock));
  return to.fill_from(image_, progress);
}

Status ImageDisk::replace_image(const std::string& part) const {
  if (::renameat(folder_.fd(), part.c_str(), folder_.fd(), kImageName) != 0)
    return fail_errno(errno, fmt::format("replace {}", image_.path()));
  fault_point("volume.image.replaced");
  return folder_.sync();
}

std::vector<MountUser> image_users(const MountScan& scan, dev_t device, const Folder& folder,
                                   const std::string& fs_path) {
  auto users = scan.users_of({::major(device), ::minor(device), "/"});
  std::erase_if(users, [&](const MountUser& user) { return user.mount_point == fs_path; });
  leave_out_twins(users, folder, {kMountPoint});
  return users;
}

Result<PartFile> PartFile::make(const Folder& folder, const std::string& name) {
  const std::string part = name + std::string(kPartEnding);
  ::unlinkat(folder.fd(), part.c_str(), 0);  // left by a crash; the volume is locked
  TRY(auto image, LoopImage::make(folder, part, 0));
  return PartFile(folder, name, std::move(image));
}

PartFile::~PartFile() {
  if (image_) ::unlinkat(folder_->fd(), part().c_str(), 0);
}

Status PartFile::commit() {
  TRY_STATUS(image_->sync());
  TRY_STATUS(folder_->rename(part(), *folder_, name_));
  image_.reset();
  fault_point("volume.image.part-renamed");
  return folder_->sync();
}

std::string PartFile::release() {
  image_.reset();
  return part();
}

}  // namespace fairlead::volume
