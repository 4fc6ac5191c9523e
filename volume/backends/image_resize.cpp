#include "base/fault.h"
#include "base/options/values.h"
#include "volume/backends/fs_tools.h"
#include "volume/backends/image_verbs.h"

namespace fairlead::volume {

namespace {

// Grows the file system to the size that its file has already, mounted or not.
Status grow_in_place(const LoopImage& image, const Superblock& superblock, std::uint64_t size) {
  TRY_STATUS(image.update_device());
  TRY(const auto attached, attach_image(image, superblock));
  return attached.fs.grow(size);
}

Status shrink_back(const LoopImage& image, std::uint64_t size, const Error& why) {
  (void)image.set_size(size);  // if this fails it stays larger, and the rest is not used
  (void)image.update_device();
  return fail(Code::kInUse, "{}; unmount the volume first: it grows then", why.text);
}

// File and file system of an ext4 that is attached nowhere.
Status resize_unmounted(const LoopImage& image, const Superblock& superblock, std::uint64_t size) {
  if (size > superblock.size) TRY_STATUS(image.set_size(size));
  TRY_STATUS(FileSystemOnDevice(image.path(), superblock).resize_unmounted(size));
  return image.set_size(size);
}

// resize2fs and truncation work on a copy, which then takes the image's place by one rename. Killed
// half way, nothing has changed.
Status resize_copy(const ImageDisk& disk, std::uint64_t size) {
  TRY(const auto superblock, disk.verify());
  TRY_STATUS(settle_image(disk.image(), superblock));
  TRY(auto part, PartFile::make(disk.folder(), "resize"));
  TRY_STATUS(part.image().fill_from(disk.image(), {}));
  TRY_STATUS(resize_unmounted(part.image(), superblock, size));
  fault_point("volume.image.resized-copy");
  return disk.replace_image(part.release());
}

Status grow(const ImageDisk& disk, const Superblock& superblock, std::uint64_t length,
            std::uint64_t size) {
  TRY(const auto bound, disk.image().loop());
  TRY_STATUS(disk.image().set_size(size));
  fault_point("volume.image.file-grown");
  const auto grown = grow_in_place(disk.image(), superblock, size);
  if (grown) return {};
  if (grown.error().code != Code::kUnsupported) return grown;
  if (bound) return shrink_back(disk.image(), length, grown.error());
  TRY_STATUS(disk.image().await_release());
  return resize_copy(disk, size);
}

Status shrink(const ImageDisk& disk, const Superblock& superblock, std::uint64_t size) {
  if (superblock.type != "ext4" && size < superblock.size)
    return fail(Code::kUnsupported,
                "make volume smaller: an {} cannot shrink; copy the data to a smaller volume",
                superblock.type);
  TRY(const auto loop, disk.image().loop());
  if (loop)
    return fail(Code::kInUse, "make volume smaller: it is mounted; unmount it everywhere first");
  if (size >= superblock.size)
    return disk.image().set_size(size);  // an earlier growth had only enlarged the file
  return resize_copy(disk, size);
}

}  // namespace

Status resize_private_image(const LoopImage& image, const Superblock& superblock,
                            std::uint64_t size) {
  TRY(const auto now, image.size());
  if (size == now.length && size == superblock.size) return {};
  if (size < superblock.size && superblock.type != "ext4")
    return fail(Code::kUnsupported, "clone into {}: an {} cannot shrink; ask for {} or more",
                format_size(size), superblock.type, format_size(now.length));
  if (superblock.type == "ext4") return resize_unmounted(image, superblock, size);
  if (size > now.length) TRY_STATUS(image.set_size(size));
  TRY_STATUS(grow_in_place(image, superblock, size));
  return image.await_release();
}

Status resize_image(const VolumeTree& pool, const Volume& volume, std::uint64_t size) {
  TRY(const auto disk, ImageDisk::hold(pool, volume.id));
  TRY(const auto superblock, disk.verify());
  TRY(const auto now, disk.image().size());
  size = whole_blocks(size);
  TRY_STATUS(check_fs_request({.size = size, .fstype = superblock.type}));
  if (size < now.length) return shrink(disk, superblock, size);
  return grow(disk, superblock, now.length, size);
}

// While the image is mounted, a copy of the present moment is checked, which needs a file system
// that can share blocks.
Result<CheckReport> check_image(const VolumeTree& pool, const Volume& volume, bool repair,
                                const Progress& progress) {
  TRY(const auto disk, ImageDisk::hold(pool, volume.id));
  TRY(const auto superblock, disk.verify());
  TRY(const auto loop, disk.image().loop());
  if (loop && repair)
    return fail(Code::kInUse, "repair volume: it is mounted; unmount it everywhere first");
  if (!loop) {
    // A file system that is too damaged to be mounted is just what fsck is for.
    const auto settled = settle_image(disk.image(), superblock);
    if (!settled && settled.error().code == Code::kInUse) return fail(settled.error());
    return FileSystemOnDevice(disk.image().path(), superblock).check(repair);
  }
  TRY(auto part, PartFile::make(disk.folder(), "check"));
  if (auto copied = disk.copy_moment(part.image(), progress); !copied)
    return fail(with_context(copied.error(), "check a mounted volume"));
  if (superblock.type == "xfs") TRY_STATUS(settle_image(part.image(), superblock));
  return FileSystemOnDevice(part.image().path(), superblock).check(false);
}

}  // namespace fairlead::volume
