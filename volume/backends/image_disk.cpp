#include "volume/backends/image_disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fault.h"
#include "volume/api/text.h"
#include "volume/backends/image_tools.h"
#include "volume/kernel/freeze.h"
#include "volume/kernel/fscrypt.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;

constexpr auto kLockDeadline = 3s;  // a runtime waits 5 s for an answer
constexpr auto kReleaseDeadline = 3s;
constexpr std::size_t kLongestIdentity = 100;
constexpr int kMostReplacements = 16;

// Whether the name still leads to the file that we hold.
Result<bool> is_still(const Folder& folder, int image) {
  struct stat named {
  }, held{};
  if (::fstatat(folder.fd(), kImageName, &named, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, fmt::format("look at {}/{}", folder.path(), kImageName));
  if (::fstat(image, &held) != 0) return fail_errno(errno, "look at an image file");
  return named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

Result<UniqueFd> open_volume_image(const Folder& folder) {
  auto image = open_image(folder, kImageName, Open::kReadWrite);
  if (!image && image.error().code == Code::kNotFound)
    return fail(Code::kIo,
                "the image {}/{} is missing: it was moved or deleted by hand; put it back, or "
                "remove the volume",
                folder.path(), kImageName);
  return image;
}

Result<UniqueFd> root_of(int mount) {
  UniqueFd root(::openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno(errno, "open the root of a mount");
  return root;
}

bool is_no_reflink(const Status& shared) {
  return !shared && shared.error().code == Code::kUnsupported;
}

}  // namespace

Status write_identity(const Folder& folder, const ImageIdentity& identity) {
  return folder.write_file(kIdentityName, fmt::format("{} {}\n", identity.type, identity.uuid),
                           0600);
}

Result<ImageIdentity> read_identity(const Folder& folder) {
  TRY(const auto text, folder.read_file(kIdentityName, kLongestIdentity));
  const auto space = text.find(' ');
  if (space == std::string::npos || text.size() != space + 34 || !text.ends_with('\n'))
    return fail(Code::kIo, "{}/{} is damaged: it names no file system", folder.path(),
                kIdentityName);
  return ImageIdentity{text.substr(0, space), text.substr(space + 1, 32)};
}

Result<Superblock> verify_image(int image, const ImageIdentity& identity) {
  auto superblock = read_superblock(image);
  if (!superblock)
    return fail(Error{Code::kConflict, 0,
                      fmt::format("the image is not this volume's, and is not mounted: {}",
                                  superblock.error().text)});
  if (superblock->type != identity.type || superblock->uuid != identity.uuid)
    return fail(Code::kConflict,
                "the image is not this volume's, and is not mounted: it holds {} {}, not {} {}",
                superblock->type, superblock->uuid, identity.type, identity.uuid);
  return superblock;
}

// "nouuid", because xfs refuses a second file system with the same UUID, and clones keep the UUID
// of their source.
NewMount mount_request(const std::string& type, const VolumeOptions& options) {
  MountWords words = sort_mount_words(options.mount_options);
  NewMount request{.type = type, .options = std::move(words.rest), .flags = words.flags};
  if (options.access == Access::kReadOnly) request.flags.read_only = true;
  request.read_only_fs = request.flags.read_only;
  if (options.discard) request.options.emplace_back("discard");
  if (type == "xfs") request.options.emplace_back("nouuid");
  return request;
}

Result<UniqueFd> mount_image(int image, const Superblock& superblock, NewMount request) {
  TRY(const auto loop, bind_loop(image, {.block_size = superblock.sector_size}));
  fault_point("volume.image.attached");
  request.source = loop.path();
  auto mount = make_mount(request);
  if (mount || mount.error().sys_errno != EBUSY) return mount;
  // It is mounted somewhere already, with the other choice of read-only and writable.
  request.read_only_fs = !request.read_only_fs;
  return make_mount(request);
}

Status unlock_image(int mount, const VolumeOptions& options) {
  if (options.encrypt.empty()) return {};
  const UniqueFd data(::openat(mount, "_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!data) return fail_errno(errno, "open the folder _data of an image");
  TRY(const auto key, read_fscrypt_key(options.keyfile));
  TRY(const auto id, add_fscrypt_key(data.get(), key));
  const auto same = check_folder_key(data.get(), id);
  if (same) return {};
  return fail(same.error().code, "unlock with the key file {}: {}", shown(options.keyfile),
              same.error().text);
}

// The log, which was empty when the snapshot was made, is not used, so that nothing is written.
Result<UniqueFd> mount_image_read_only(int image, const Superblock& superblock) {
  TRY(const auto loop, bind_loop(image, {.block_size = superblock.sector_size, .read_only = true}));
  NewMount request{.type = superblock.type, .source = loop.path(), .read_only_fs = true};
  request.flags.read_only = true;
  if (superblock.type == "xfs") request.options = {"nouuid", "norecovery"};
  return make_mount(request);
}

Status await_release(int image) {
  TRY(const bool released, wait_for_release(image, kReleaseDeadline));
  if (released) return {};
  return fail(Code::kInUse,
              "release an image: a loop device still shows it; somebody has it mounted in another "
              "namespace");
}

Status settle_image(int image, const Superblock& superblock) {
  TRY(const auto loop, find_loop(image));
  if (loop) return fail(Code::kInUse, "settle an image: {} shows it", loop->path());
  if (superblock.type == "ext4" && !superblock.needs_recovery) return {};
  TRY(auto mount, mount_image(image, superblock, mount_request(superblock.type, {})));
  mount.reset();
  return await_release(image);
}

Result<std::optional<ImageDisk>> ImageDisk::open(const VolumeTree& pool, const std::string& id,
                                                 std::chrono::milliseconds deadline) {
  for (int attempt = 0; attempt < kMostReplacements; ++attempt) {
    TRY(auto folder, pool.open(id));
    TRY(auto image, open_volume_image(folder));
    if (deadline.count() == 0) {
      TRY(const bool locked, try_lock_image(image.get()));
      if (!locked) return std::optional<ImageDisk>();
    } else {
      TRY_STATUS(lock_image(image.get(), deadline));
    }
    TRY(const bool same, is_still(folder, image.get()));
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
  TRY(const auto own, loop());
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
  TRY(const bool released, wait_for_release(image(), 100ms));
  if (released) return {};
  // Others may keep it mounted in their namespaces for as long as they like. Otherwise the release
  // is only slow.
  TRY(const auto still, loop());
  TRY(const auto scan, MountScan::take());
  if (!still) return {};
  const dev_t device = still->device();
  if (!scan.users_of({::major(device), ::minor(device), "/"}).empty()) return {};
  return status_of(wait_for_release(image(), kReleaseDeadline));
}

Status share_or_copy(int from, int to, const Progress& progress) {
  const auto shared = share_blocks(from, to);
  if (!shared && !is_no_reflink(shared)) return shared;
  if (!shared) TRY_STATUS(copy_sparse(from, to, progress));
  fault_point("volume.image.copied");
  return sync_file(to);
}

// Everything is flushed first, so that the freeze has little left to write.
Status ImageDisk::freeze_and_share(const Superblock& superblock, int to) const {
  TRY(const auto mount, mount_image(image(), superblock, mount_request(superblock.type, {})));
  TRY(const auto root, root_of(mount.get()));
  if (::syncfs(root.get()) != 0) return fail_errno(errno, "flush a file system");
  TRY_STATUS(sync_file(image()));
  TRY(auto frozen, Frozen::freeze(root.get()));
  const auto shared = share_blocks(image(), to);
  const auto thawed = frozen.thaw();
  fault_point("volume.image.thawed");
  if (is_no_reflink(shared))
    return fail(Code::kUnsupported,
                "it is mounted, and the file system below {} cannot share blocks: unmount it first "
                "for a copy, or keep volumes in a pool (fairlead pool create)",
                folder_.path());
  if (!shared) return shared;
  TRY_STATUS(thawed);
  return sync_file(to);
}

Status ImageDisk::copy_moment(int to, const Progress& progress) const {
  TRY(const auto superblock, verify());
  TRY(const auto bound, loop());
  if (bound) return freeze_and_share(superblock, to);
  TRY_STATUS(settle_image(image(), superblock));
  return share_or_copy(image(), to, progress);
}

Status ImageDisk::replace_image(const std::string& part) const {
  if (::renameat(folder_.fd(), part.c_str(), folder_.fd(), kImageName) != 0)
    return fail_errno(errno, fmt::format("replace {}", image_path()));
  fault_point("volume.image.replaced");
  return folder_.sync();
}

std::vector<MountUser> image_users(const MountScan& scan, dev_t device,
                                   const std::string& fs_path) {
  auto users = scan.users_of({::major(device), ::minor(device), "/"});
  std::erase_if(users, [&](const MountUser& user) { return user.mount_point == fs_path; });
  return users;
}

Result<PartFile> PartFile::make(const Folder& folder, const std::string& name) {
  const std::string part = name + std::string(kPartEnding);
  ::unlinkat(folder.fd(), part.c_str(), 0);  // left by a crash; the volume is locked
  TRY(auto fd, make_sparse_file(folder, part, 0));
  return PartFile(folder, name, std::move(fd));
}

PartFile::~PartFile() {
  if (fd_) ::unlinkat(folder_->fd(), part().c_str(), 0);
}

Status PartFile::commit() {
  TRY_STATUS(sync_file(fd()));
  TRY_STATUS(folder_->rename(part(), *folder_, name_));
  fd_.reset();
  fault_point("volume.image.part-renamed");
  return folder_->sync();
}

std::string PartFile::release() {
  fd_.reset();
  return part();
}

}  // namespace fairlead::volume
