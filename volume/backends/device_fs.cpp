#include "volume/backends/device_fs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fault.h"
#include "base/text.h"
#include "volume/backends/fs_tools.h"
#include "volume/kernel/freeze.h"
#include "volume/kernel/fs_grow.h"
#include "volume/kernel/fscrypt.h"

namespace fairlead::volume {

namespace {

Result<UniqueFd> root_of(int mount) {
  UniqueFd root(::openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno(errno, "open the root of a mount");
  return root;
}

Status encrypt_data(int data, const VolumeOptions& options) {
  if (options.encrypt.empty()) return {};
  TRY(const auto key, read_fscrypt_key(options.keyfile));
  TRY(const auto id, add_fscrypt_key(data, key));
  return encrypt_folder(data, id);
}

}  // namespace

Result<Superblock> verify_superblock(int device, const FsIdentity& identity,
                                     std::string_view noun) {
  auto superblock = read_superblock(device);
  if (!superblock)
    return fail(Code::kConflict, "the {} is not this volume's, and is not mounted: {}", noun,
                superblock.error().text);
  if (superblock->type != identity.type || superblock->uuid != identity.uuid)
    return fail(Code::kConflict,
                "the {} is not this volume's, and is not mounted: it holds {} {}, not {} {}", noun,
                superblock->type, superblock->uuid, identity.type, identity.uuid);
  return superblock;
}

Status FileSystemOnDevice::make(const std::string& path, const FsIdentity& identity,
                                std::uint64_t size, const VolumeOptions& options, Storage storage) {
  return make_filesystem({.path = path,
                          .type = identity.type,
                          .uuid = identity.uuid,
                          .size = size,
                          .inodes = options.inodes,
                          .encrypted = !options.encrypt.empty(),
                          .zeroed = storage == Storage::kZeroed});
}

Result<FileSystemOnDevice> FileSystemOnDevice::open(int device, std::string path,
                                                    const FsIdentity& identity) {
  TRY(auto superblock, verify_superblock(device, identity, "device"));
  return FileSystemOnDevice(std::move(path), std::move(superblock));
}

// "nouuid", because xfs refuses a second file system with the same UUID, and clones keep the UUID
// of their source.
NewMount FileSystemOnDevice::request_for(const VolumeOptions& options) const {
  MountWords words = sort_mount_words(options.mount_options);
  NewMount request{
      .type = superblock_.type, .options = std::move(words.rest), .flags = words.flags};
  if (options.access == Access::kReadOnly) request.flags.read_only = true;
  request.read_only_fs = request.flags.read_only;
  if (options.discard) request.options.emplace_back("discard");
  if (superblock_.type == "xfs") request.options.emplace_back("nouuid");
  return request;
}

Result<UniqueFd> FileSystemOnDevice::mount(NewMount request) const {
  request.source = path_;
  auto mount = make_mount(request);
  if (mount || mount.error().sys_errno != EBUSY) return mount;
  // It is mounted somewhere already, with the other choice of read-only and writable.
  request.read_only_fs = !request.read_only_fs;
  return make_mount(request);
}

Result<UniqueFd> FileSystemOnDevice::mount(const VolumeOptions& options) const {
  return mount(request_for(options));
}

// The log, which was empty when the file system was left, is not used, so that nothing is written.
Result<UniqueFd> FileSystemOnDevice::mount_read_only() const {
  NewMount request{.type = superblock_.type, .source = path_, .read_only_fs = true};
  request.flags.read_only = true;
  if (superblock_.type == "xfs") request.options = {"nouuid", "norecovery"};
  return make_mount(request);
}

// The superblock of an xfs does not tell whether its log is empty.
bool FileSystemOnDevice::may_need_recovery() const {
  return superblock_.type != "ext4" || superblock_.needs_recovery;
}

Status FileSystemOnDevice::recover() const {
  return may_need_recovery() ? status_of(mount(VolumeOptions{})) : Status();
}

Result<UniqueFd> FileSystemOnDevice::flushed(const std::function<Status()>& flush_below) const {
  TRY(const auto mounted, mount(VolumeOptions{}));
  TRY(auto root, root_of(mounted.get()));
  if (::syncfs(root.get()) != 0) return fail_errno(errno, "flush a file system");
  TRY_STATUS(flush_below());
  return root;
}

Status FileSystemOnDevice::at_one_moment(const std::function<Status()>& flush_below,
                                         const std::function<Status()>& copy) const {
  TRY(const auto root, flushed(flush_below));
  TRY(auto frozen, Frozen::freeze(root.get()));
  const auto copied = copy();
  const auto thawed = frozen.thaw();
  fault_point("volume.image.thawed");
  if (!copied) return copied;
  return thawed;
}

Status FileSystemOnDevice::grow(std::uint64_t size) const {
  TRY(const auto mounted, mount(VolumeOptions{}));
  TRY(const auto root, root_of(mounted.get()));
  return grow_mounted(root.get(), superblock_.type, size);
}

Status FileSystemOnDevice::resize_unmounted(std::uint64_t size) const {
  return resize_ext4(path_, size);
}

Result<CheckReport> FileSystemOnDevice::check(bool repair) const {
  return check_filesystem(path_, superblock_.type, repair);
}

Result<UniqueFd> open_data_folder(int mount) {
  UniqueFd data(::openat(mount, "_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!data) return fail_errno(errno, "open the folder _data of a volume's file system");
  return data;
}

Status make_data_folder(int mount, const VolumeOptions& options) {
  if (::mkdirat(mount, "_data", 0700) != 0) return fail_errno(errno, "make the folder _data");
  TRY(const auto data, open_data_folder(mount));
  TRY_STATUS(encrypt_data(data.get(), options));
  if (::fchown(data.get(), options.uid, options.gid) != 0)
    return fail_errno(errno, fmt::format("give _data to {}:{}", options.uid, options.gid));
  // After the owner, because chown(2) clears setuid and setgid.
  if (::fchmod(data.get(), options.mode) != 0)
    return fail_errno(errno, fmt::format("set mode {:04o} on _data", options.mode));
  if (::syncfs(data.get()) != 0) return fail_errno(errno, "flush a new file system");
  return {};
}

Status unlock_data(int mount, const VolumeOptions& options) {
  if (options.encrypt.empty()) return {};
  TRY(const auto data, open_data_folder(mount));
  TRY(const auto key, read_fscrypt_key(options.keyfile));
  TRY(const auto id, add_fscrypt_key(data.get(), key));
  const auto same = check_folder_key(data.get(), id);
  if (same) return {};
  return fail(same.error().code, "unlock with the key file {}: {}", shown(options.keyfile),
              same.error().text);
}

}  // namespace fairlead::volume
