#include "volume/kernel/btrfs.h"

#include <endian.h>
#include <fmt/ranges.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>

#include "volume/kernel/btrfs_search.h"

namespace fairlead::volume::btrfs {

namespace {

constexpr ino_t kSubvolumeInode = 256;  // BTRFS_FIRST_FREE_OBJECTID
constexpr ino_t kHollowInode = 2;       // BTRFS_EMPTY_SUBVOL_DIR_OBJECTID
constexpr auto kScrubStep = std::chrono::milliseconds(100);

// The names in the ioctls are fixed arrays. A name that was cut short would name another file.
template <std::size_t N>
Status fill_name(char (&into)[N], const std::string& name) {
  if (name.empty() || name.size() >= std::min<std::size_t>(N, 256) || name == "." || name == ".." ||
      name.find('/') != std::string::npos || name.find('\0') != std::string::npos)
    return fail(Code::kInvalid, "a subvolume's name of {} bytes is not one component of a path",
                name.size());
  std::memcpy(into, name.data(), name.size());
  return {};
}

std::string at(const Folder& parent, const std::string& name) {
  return fmt::format("{}/{}", parent.path(), name);
}

}  // namespace

Result<bool> is_on(int fd) {
  struct statfs info {};
  if (::fstatfs(fd, &info) != 0) return fail_errno(errno, "ask for the kind of a file system");
  return info.f_type == BTRFS_SUPER_MAGIC;
}

Result<bool> is_subvolume(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return fail_errno(errno, "look at a folder");
  if (!S_ISDIR(info.st_mode) || info.st_ino != kSubvolumeInode) return false;
  return is_on(fd);
}

Status create(const Folder& parent, const std::string& name) {
  btrfs_ioctl_vol_args_v2 args{};
  TRY_STATUS(fill_name(args.name, name));
  if (::ioctl(parent.fd(), BTRFS_IOC_SUBVOL_CREATE_V2, &args) != 0)
    return fail_errno(errno, fmt::format("make the subvolume {}", at(parent, name)));
  return {};
}

Status snapshot(int source, const Folder& parent, const std::string& name, Writable writable) {
  TRY_STATUS(flush(source));
  return snapshot_unflushed(source, parent, name, writable);
}

Status snapshot_unflushed(int source, const Folder& parent, const std::string& name,
                          Writable writable) {
  btrfs_ioctl_vol_args_v2 args{};
  args.fd = source;
  args.flags = writable == Writable::kNo ? BTRFS_SUBVOL_RDONLY : 0;
  TRY_STATUS(fill_name(args.name, name));
  if (::ioctl(parent.fd(), BTRFS_IOC_SNAP_CREATE_V2, &args) != 0)
    return fail_errno(errno, fmt::format("make the snapshot {}", at(parent, name)));
  return {};
}

void begin_commit(const Folder& folder) {
  std::uint64_t transaction = 0;
  (void)::futimens(folder.fd(), nullptr);  // else there may be nothing to write
  (void)::ioctl(folder.fd(), BTRFS_IOC_START_SYNC, &transaction);
}

Result<std::string> file_system_id(int fd) {
  btrfs_ioctl_fs_info_args args{};
  if (::ioctl(fd, BTRFS_IOC_FS_INFO, &args) != 0)
    return fail_errno(errno, "ask for the id of a file system");
  return fmt::format("{:02x}", fmt::join(args.fsid, ""));
}

Status destroy(int parent, const std::string& name) {
  btrfs_ioctl_vol_args args{};
  TRY_STATUS(fill_name(args.name, name));
  if (::ioctl(parent, BTRFS_IOC_SNAP_DESTROY, &args) == 0) return {};
  const int cause = errno;
  Error error = sys_error(cause, fmt::format("remove the subvolume {}", name));
  if (cause == ENOTEMPTY) error.code = Code::kConflict;
  return fail(std::move(error));
}

Status set_read_only(int subvolume, bool read_only) {
  std::uint64_t flags = 0;
  if (::ioctl(subvolume, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) != 0)
    return fail_errno(errno, "read the flags of a subvolume");
  const std::uint64_t wanted =
      read_only ? flags | BTRFS_SUBVOL_RDONLY : flags & ~std::uint64_t{BTRFS_SUBVOL_RDONLY};
  if (wanted == flags) return {};
  if (::ioctl(subvolume, BTRFS_IOC_SUBVOL_SETFLAGS, &wanted) != 0)
    return fail_errno(errno,
                      fmt::format("make a subvolume {}", read_only ? "read-only" : "writable"));
  return {};
}

Result<std::uint64_t> id_of(int subvolume) {
  btrfs_ioctl_ino_lookup_args args{};
  args.objectid = kSubvolumeInode;
  if (::ioctl(subvolume, BTRFS_IOC_INO_LOOKUP, &args) != 0)
    return fail_errno(errno, "ask for the id of a subvolume");
  return args.treeid;
}

// --- subvolumes inside subvolumes

namespace {

// "a/b/", or empty for the top folder.
std::string path_of_folder(int fd, std::uint64_t subvolume, std::uint64_t inode) {
  btrfs_ioctl_ino_lookup_args args{};
  args.treeid = subvolume;
  args.objectid = inode;
  return ::ioctl(fd, BTRFS_IOC_INO_LOOKUP, &args) == 0 ? args.name : ".../";
}

ItemsOf children_of(std::uint64_t parent) {
  return {.tree = BTRFS_ROOT_TREE_OBJECTID, .object = parent, .type = BTRFS_ROOT_REF_KEY};
}

Status add_children(int fd, std::uint64_t parent, const std::string& prefix, std::size_t most,
                    std::vector<InnerSubvolume>& found) {
  return each_item(fd, children_of(parent), [&](std::uint64_t child, std::string_view bytes) {
    btrfs_root_ref ref{};
    if (found.size() >= most || bytes.size() < sizeof ref) return;
    std::memcpy(&ref, bytes.data(), sizeof ref);
    const std::string_view name = bytes.substr(sizeof ref, le16toh(ref.name_len));
    const std::string folder = path_of_folder(fd, parent, le64toh(ref.dirid));
    found.push_back({.id = child, .path = fmt::format("{}{}{}", prefix, folder, name)});
  });
}

}  // namespace

Result<std::vector<InnerSubvolume>> inner_subvolumes(int fd, std::uint64_t subvolume,
                                                     std::size_t most) {
  std::vector<InnerSubvolume> found;
  TRY_STATUS(add_children(fd, subvolume, {}, most, found));
  for (std::size_t next = 0; next < found.size() && found.size() < most; ++next) {
    const InnerSubvolume outer = found[next];
    TRY_STATUS(add_children(fd, outer.id, outer.path + "/", most, found));
  }
  return found;
}

Result<std::vector<std::uint64_t>> inner_ids(int fd, std::uint64_t subvolume) {
  std::vector<std::uint64_t> found;
  const auto add_children_of = [&](std::uint64_t parent) {
    return each_item(fd, children_of(parent),
                     [&](std::uint64_t child, std::string_view) { found.push_back(child); });
  };
  TRY_STATUS(add_children_of(subvolume));
  for (std::size_t next = 0; next < found.size(); ++next) TRY_STATUS(add_children_of(found[next]));
  return found;
}

bool is_hollow(ino_t inode) { return inode == kHollowInode; }

Status flush(int fd) {
  if (::syncfs(fd) != 0) return fail_errno(errno, "flush a file system");
  return {};
}

Status free_destroyed(int fd) {
  if (::ioctl(fd, BTRFS_IOC_SYNC) != 0) return fail_errno(errno, "flush a btrfs file system");
  return {};
}

Status set_compression(int folder, const std::string& algorithm) {
  if (::fsetxattr(folder, "btrfs.compression", algorithm.data(), algorithm.size(), 0) != 0)
    return fail_errno(errno, fmt::format("set the compression {} of a folder", algorithm));
  return {};
}

Status set_in_place(int folder) {
  int marks = 0;
  if (::ioctl(folder, FS_IOC_GETFLAGS, &marks) != 0)
    return fail_errno(errno, "read the attributes of a folder");
  marks |= FS_NOCOW_FL;
  if (::ioctl(folder, FS_IOC_SETFLAGS, &marks) != 0)
    return fail_errno(errno, "switch copy-on-write off for a folder");
  return {};
}

// --- the whole file system

namespace {

// Calls `visit` with each device's number and the bytes used on it.
Status each_device(int fd, const std::function<Status(std::uint64_t, std::uint64_t)>& visit) {
  btrfs_ioctl_fs_info_args info{};
  if (::ioctl(fd, BTRFS_IOC_FS_INFO, &info) != 0)
    return fail_errno(errno, "ask btrfs for its devices");
  for (std::uint64_t id = 1; id <= info.max_id; ++id) {
    btrfs_ioctl_dev_info_args device{};
    device.devid = id;
    if (::ioctl(fd, BTRFS_IOC_DEV_INFO, &device) == 0)
      TRY_STATUS(visit(id, device.bytes_used));
    else if (errno != ENODEV)  // a number that is no longer used
      return fail_errno(errno, "ask btrfs for a device");
  }
  return {};
}

std::uint64_t bytes_of(const btrfs_scrub_progress& p) {
  return p.data_bytes_scrubbed + p.tree_bytes_scrubbed;
}

// The scrub of one device. It runs on a thread of its own, because the ioctl returns only when it
// has ended.
struct DeviceScrub {
  int fd;
  btrfs_ioctl_scrub_args args{};

  int run() { return ::ioctl(fd, BTRFS_IOC_SCRUB, &args) == 0 ? 0 : errno; }
  std::uint64_t done() const {
    btrfs_ioctl_scrub_args asked{};
    asked.devid = args.devid;
    return ::ioctl(fd, BTRFS_IOC_SCRUB_PROGRESS, &asked) == 0 ? bytes_of(asked.progress) : 0;
  }
};

using ScrubStep = std::function<bool(std::uint64_t)>;

Status scrub_device(int fd, std::uint64_t device, ScrubMode mode, const ScrubStep& step,
                    ScrubResult& result) {
  DeviceScrub work{.fd = fd};
  work.args.devid = device;
  work.args.end = UINT64_MAX;
  work.args.flags = mode == ScrubMode::kReadOnly ? BTRFS_SCRUB_READONLY : 0;
  auto ended = std::async(std::launch::async, [&work] { return work.run(); });
  bool stopped = false;
  while (ended.wait_for(kScrubStep) != std::future_status::ready) {
    if (!stopped && step && !step(result.read_bytes + work.done())) stopped = true;
    // repeated until it ends, because it may not have begun
    if (stopped) ::ioctl(fd, BTRFS_IOC_SCRUB_CANCEL);
  }
  const int failed = ended.get();
  if (stopped) return fail(Code::kUnavailable, "the scrub was stopped");
  if (failed == EINPROGRESS)
    return fail(Code::kUnavailable,
                "another scrub of this file system is running; try again later");
  if (failed != 0) return fail_errno(failed, "scrub a device of btrfs");
  result.read_bytes += bytes_of(work.args.progress);
  const btrfs_scrub_progress& seen = work.args.progress;
  result.damaged += seen.read_errors + seen.csum_errors + seen.verify_errors + seen.super_errors;
  result.unrepairable += seen.uncorrectable_errors;
  return {};
}

}  // namespace

Status grow_to_device(int fd) {
  btrfs_ioctl_vol_args args{};
  std::memcpy(args.name, "max", sizeof "max");
  if (::ioctl(fd, BTRFS_IOC_RESIZE, &args) != 0)
    return fail_errno(errno, "grow btrfs to the size of its device");
  return {};
}

Result<ScrubResult> scrub(int fd, ScrubMode mode,
                          const std::function<bool(std::uint64_t, std::uint64_t)>& progress) {
  std::uint64_t total = 0;
  TRY_STATUS(each_device(fd, [&](std::uint64_t, std::uint64_t used) {
    total += used;
    return Status();
  }));
  ScrubResult result;
  const ScrubStep step = [&](std::uint64_t done) {
    return !progress || progress(std::min(done, total), total);
  };
  TRY_STATUS(each_device(fd, [&](std::uint64_t device, std::uint64_t) {
    return scrub_device(fd, device, mode, step, result);
  }));
  if (progress) progress(total, total);
  return result;
}

}  // namespace fairlead::volume::btrfs
