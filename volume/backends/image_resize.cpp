#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/fault.h"
#include "volume/api/text.h"
#include "volume/backends/image_tools.h"
#include "volume/backends/image_verbs.h"
#include "volume/kernel/fs_grow.h"

namespace fairlead::volume {

namespace {

// Grows the file system to the size that its file has already, while it is mounted; if it is not
// mounted we mount it for that. The kernel's change is journalled and safe at any moment.
Status grow_by_kernel(int image, const Superblock& superblock, std::uint64_t size) {
  TRY(const auto bound, find_loop(image));
  if (bound) TRY_STATUS(update_capacity(*bound));
  TRY(const auto mount, mount_image(image, superblock, mount_request(superblock.type, {})));
  const UniqueFd root(::openat(mount.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno(errno, "open the root of a mount");
  return grow_mounted(root.get(), superblock.type, size);
}

Status shrink_back(int image, const Loop& loop, std::uint64_t size, Error why) {
  (void)set_file_size(image, size);  // if this fails it stays larger, and the rest is not used
  (void)update_capacity(loop);
  return fail(Code::kInUse, "{}; unmount the volume first: it grows then", why.text);
}

// resize2fs and truncation work on a copy, which then takes the image's place by one rename. Killed
// half way, nothing has changed.
Status resize_copy(const ImageDisk& disk, std::uint64_t size) {
  TRY(const auto superblock, disk.verify());
  TRY_STATUS(settle_image(disk.image(), superblock));
  TRY(auto part, PartFile::make(disk.folder(), "resize"));
  TRY_STATUS(share_or_copy(disk.image(), part.fd(), {}));
  if (size > superblock.size) TRY_STATUS(set_file_size(part.fd(), size));
  TRY_STATUS(resize_ext4(part.path(), size));
  TRY_STATUS(set_file_size(part.fd(), size));
  fault_point("volume.image.resized-copy");
  return disk.replace_image(part.release());
}

Status grow(const ImageDisk& disk, const Superblock& superblock, std::uint64_t length,
            std::uint64_t size) {
  TRY(const auto bound, disk.loop());
  TRY_STATUS(set_file_size(disk.image(), size));
  fault_point("volume.image.file-grown");
  const auto grown = grow_by_kernel(disk.image(), superblock, size);
  if (grown) return {};
  if (grown.error().code != Code::kUnsupported) return grown;
  if (bound) return shrink_back(disk.image(), *bound, length, grown.error());
  TRY_STATUS(await_release(disk.image()));
  return resize_copy(disk, size);
}

Status shrink(const ImageDisk& disk, const Superblock& superblock, std::uint64_t size) {
  if (superblock.type != "ext4" && size < superblock.size)
    return fail(Code::kUnsupported,
                "make volume smaller: an {} cannot shrink; copy the data to a smaller volume",
                superblock.type);
  TRY(const auto loop, disk.loop());
  if (loop)
    return fail(Code::kInUse, "make volume smaller: it is mounted; unmount it everywhere first");
  if (size >= superblock.size)
    return set_file_size(disk.image(), size);  // an earlier growth had only enlarged the file
  return resize_copy(disk, size);
}

}  // namespace

Status resize_private_image(int image, const std::string& path, const Superblock& superblock,
                            std::uint64_t size) {
  TRY(const auto now, size_of_file(image));
  if (size == now.length && size == superblock.size) return {};
  if (size < superblock.size && superblock.type != "ext4")
    return fail(Code::kUnsupported, "clone into {}: an {} cannot shrink; ask for {} or more",
                format_size(size), superblock.type, format_size(now.length));
  if (size > now.length) TRY_STATUS(set_file_size(image, size));
  if (superblock.type != "ext4") {
    TRY_STATUS(grow_by_kernel(image, superblock, size));
    return await_release(image);
  }
  TRY_STATUS(resize_ext4(path, size));
  return set_file_size(image, size);
}

Status resize_image(const VolumeTree& pool, const Volume& volume, std::uint64_t size) {
  TRY(const auto disk, ImageDisk::hold(pool, volume.id));
  TRY(const auto superblock, disk.verify());
  TRY(const auto now, size_of_file(disk.image()));
  size = whole_blocks(size);
  TRY_STATUS(check_image_request({.size = size, .fstype = superblock.type}));
  if (size < now.length) return shrink(disk, superblock, size);
  return grow(disk, superblock, now.length, size);
}

// While the image is mounted, a copy of the present moment is checked, which needs a file system
// that can share blocks.
Result<CheckReport> check_image(const VolumeTree& pool, const Volume& volume, bool repair,
                                const Progress& progress) {
  TRY(const auto disk, ImageDisk::hold(pool, volume.id));
  TRY(const auto superblock, disk.verify());
  TRY(const auto loop, disk.loop());
  if (loop && repair)
    return fail(Code::kInUse, "repair volume: it is mounted; unmount it everywhere first");
  if (!loop) {
    // A file system that is too damaged to be mounted is just what fsck is for.
    const auto settled = settle_image(disk.image(), superblock);
    if (!settled && settled.error().code == Code::kInUse) return fail(settled.error());
    return check_filesystem(disk.image_path(), superblock.type, repair);
  }
  TRY(auto part, PartFile::make(disk.folder(), "check"));
  if (auto copied = disk.copy_moment(part.fd(), progress); !copied)
    return fail(with_context(copied.error(), "check a mounted volume"));
  if (superblock.type == "xfs") TRY_STATUS(settle_image(part.fd(), superblock));
  return check_filesystem(part.path(), superblock.type, false);
}

}  // namespace fairlead::volume
