#include "volume/kernel/fs_grow.h"

#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <xfs/xfs.h>

#include <cerrno>

namespace fairlead::volume {

namespace {

// From fs/ext4/ext4.h of the kernel; user space headers have it since Linux 6.5 only.
constexpr unsigned long kExt4ResizeFs = _IOW('f', 16, std::uint64_t);

Status grow_ext4(int fs, std::uint64_t size) {
  struct statfs info {};
  if (::fstatfs(fs, &info) != 0) return fail_errno(errno, "look at an ext4 file system");
  std::uint64_t blocks = size / static_cast<std::uint64_t>(info.f_bsize);
  if (::ioctl(fs, kExt4ResizeFs, &blocks) == 0) return {};
  if (errno == EPERM)
    return fail(Code::kUnsupported, "grow a mounted ext4: that needs CAP_SYS_RESOURCE");
  return fail_errno(errno, "grow a mounted ext4");
}

Status grow_xfs(int fs, std::uint64_t size) {
  xfs_fsop_geom geometry{};
  if (::ioctl(fs, XFS_IOC_FSGEOMETRY, &geometry) != 0)
    return fail_errno(errno, "look at an xfs file system");
  xfs_growfs_data request{};
  request.newblocks = size / geometry.blocksize;
  request.imaxpct = geometry.imaxpct;
  if (request.newblocks <= geometry.datablocks) return {};
  if (::ioctl(fs, XFS_IOC_FSGROWFSDATA, &request) == 0) return {};
  return fail_errno(errno, "grow a mounted xfs");
}

}  // namespace

Status grow_mounted(int fs, const std::string& type, std::uint64_t size) {
  if (type == "ext4") return grow_ext4(fs, size);
  if (type == "xfs") return grow_xfs(fs, size);
  return fail(Code::kUnsupported, "grow a mounted {}: this version cannot", type);
}

}  // namespace fairlead::volume
