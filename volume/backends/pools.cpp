#include "volume/backends/pools.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/fault.h"
#include "base/options/values.h"
#include "base/text.h"
#include "volume/backends/device_roots.h"
#include "volume/backends/disk_room.h"
#include "volume/backends/lost_volumes.h"
#include "volume/backends/pool_json.h"
#include "volume/backends/volume_tree.h"
#include "volume/kernel/block_device.h"
#include "volume/kernel/btrfs.h"
#include "volume/kernel/btrfs_quota.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/fs_grow.h"
#include "volume/kernel/image_file.h"
#include "volume/kernel/loop.h"
#include "volume/kernel/mount.h"
#include "volume/kernel/remote_mount.h"
#include "volume/kernel/remove_tree.h"
#include "volume/kernel/run_tool.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr const char* kImage = "pool.img";
constexpr const char* kFs = "fs";
constexpr const char* kPoolJson = "pool.json";
constexpr mode_t kVolumeDirMode = 0711, kTopMode = 0711;
constexpr auto kToolDeadline = 120s;
constexpr auto kBusyDeadline = 4s;

struct Kind {
  std::string_view fstype;
  std::uint64_t smallest;  // bytes; the least that its mkfs accepts
  std::string_view tool, package;
};
constexpr std::array<Kind, 2> kKinds{{{"btrfs", 128 << 20, "mkfs.btrfs", "btrfs-progs"},
                                      {"xfs", 300 << 20, "mkfs.xfs", "xfsprogs"}}};

Result<Kind> kind_of(const std::string& fstype) {
  const auto kind = std::ranges::find(kKinds, fstype, &Kind::fstype);
  if (kind != kKinds.end()) return *kind;
  return fail(Code::kInvalid, "a pool cannot be {}; it is btrfs (default) or xfs", shown(fstype));
}

// As 8-4-4-4-12, the form that the tools take.
std::string uuid_text(const std::string& id) {
  return fmt::format("{}-{}-{}-{}-{}", id.substr(0, 8), id.substr(8, 4), id.substr(12, 4),
                     id.substr(16, 4), id.substr(20));
}

// Makes the mount point immutable, so that nothing can be written to it while nothing is mounted.
// Does nothing where the file system below has no such mark.
void set_immutable(const Folder& folder, bool immutable) {
  int marks = 0;
  if (::ioctl(folder.fd(), FS_IOC_GETFLAGS, &marks) != 0) return;
  marks = immutable ? marks | FS_IMMUTABLE_FL : marks & ~FS_IMMUTABLE_FL;
  ::ioctl(folder.fd(), FS_IOC_SETFLAGS, &marks);
}

// Excludes other processes and threads, so that only one mounts. Held as long as the descriptor is
// open.
Result<UniqueFd> lock_folder(const Folder& folder) {
  TRY(auto fd, open_beneath(folder.fd(), ".", O_RDONLY | O_DIRECTORY));
  const auto end = Clock::now() + kBusyDeadline;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return fail_errno(errno, fmt::format("lock {}", folder.path()));
    if (Clock::now() > end)
      return fail(Code::kUnavailable, "the pool is busy: somebody else is mounting it");
    std::this_thread::sleep_for(5ms);
  }
  return fd;
}

class Disks : public PoolDisks {
 public:
  Disks(std::string volume_dir, std::vector<std::string> device_roots)
      : volume_dir_(std::move(volume_dir)), device_roots_(std::move(device_roots)) {}

  Status validate(const PoolSpec& spec) override;
  Status make(const VolumePool& pool, std::uint64_t size) override;
  Status discard(const VolumePool& pool) override;
  Result<std::string> mount(const VolumePool& pool) override;
  std::string root_of(const VolumePool& pool) const override {
    return fmt::format("{}/{}/{}", pools_path(), pool.id, kFs);
  }
  Result<bool> is_mounted(const VolumePool& pool) override;
  Status grow(const VolumePool& pool, std::uint64_t size) override;
  VolumePool look_at(const VolumePool& pool) override;
  Result<bool> mend(const VolumePool& pool) override;
  Result<std::size_t> entries_in(const VolumePool& pool) override;
  Status write_down(const VolumePool& pool) override;
  Result<std::optional<Promise>> promise(const VolumePool& pool) override;
  Result<DiskRoom> room() override { return room_of(volume_dir_); }
  Result<std::vector<VolumePool>> find_lost(
      const std::function<Result<bool>(const std::string& id)>& is_known) override;
  ReconcileReport sweep(
      const std::function<Result<bool>(const std::string& id)>& is_known) override;

 private:
  std::string pools_path() const { return volume_dir_ + "/pools"; }
  Result<Folder> pools() const { return Folder::open(pools_path()); }
  Result<Folder> folder_of(const VolumePool& pool) const;
  Status validate_device(const PoolSpec& spec);
  Status format(const VolumePool& pool, const std::string& path);
  Result<UniqueFd> make_detached(const VolumePool& pool, const Folder& folder);
  Result<UniqueFd> mount_device(const VolumePool& pool, const std::string& path, int fd);
  Status prepare_tree(const VolumePool& pool);
  Status unmount_pool(const Folder& folder);
  Status unmount_now(const Folder& folder);
  void tell_health(const Folder& folder, VolumePool& pool);
  VolumePool lost_pool(const Folder& folder, const std::string& id);
  Status grow_file(const VolumePool& pool, const Folder& folder, std::uint64_t size);
  Status sweep_folders(const std::function<Result<bool>(const std::string& id)>& is_known,
                       ReconcileReport& report);

  std::string volume_dir_;
  DeviceRoots device_roots_;
};

// --- creating

Status Disks::validate_device(const PoolSpec& spec) {
  if (spec.device.front() != '/')
    return fail(Code::kInvalid, "device {}: it is not an absolute path", shown(spec.device));
  TRY_STATUS(device_roots_.check(spec.device));
  TRY(const auto size, size_of_device(spec.device));
  TRY(const auto kind, kind_of(spec.fstype));
  if (size < kind.smallest)
    return fail(Code::kInvalid, "device {} has {}; a pool of {} needs {}", spec.device,
                format_size(size), spec.fstype, format_size(kind.smallest));
  TRY_STATUS(check_unused(spec.device));
  if (spec.overwrite) return {};
  TRY(const auto content, content_of_device(spec.device));
  if (content.empty()) return {};
  return fail(Code::kConflict,
              "device {} holds {}; if that may be destroyed, say so with --overwrite", spec.device,
              content);
}

Status Disks::validate(const PoolSpec& spec) {
  TRY(const auto kind, kind_of(spec.fstype));
  if (!can_mount(spec.fstype))
    return fail(Code::kUnsupported, "this kernel has no {}; load its module, or take {}",
                spec.fstype, spec.fstype == "xfs" ? "btrfs" : "xfs");
  if (!has_tool(std::string(kind.tool)))
    return fail(Code::kUnsupported, "{} is not installed; install the package {}", kind.tool,
                kind.package);
  if (!spec.device.empty()) return validate_device(spec);
  if (spec.size.value_or(0) < kind.smallest)
    return fail(Code::kInvalid, "a pool of {} needs a size of at least {}", spec.fstype,
                format_size(kind.smallest));
  return {};
}

Status Disks::format(const VolumePool& pool, const std::string& path) {
  TRY(const auto kind, kind_of(pool.fstype));
  const std::string uuid = uuid_text(pool.id);
  std::vector<std::string> argv{std::string(kind.tool), "-q", "-f"};
  if (pool.fstype == "btrfs")
    argv.insert(argv.end(), {"-U", uuid, "--", path});
  else
    argv.insert(argv.end(), {"-m", fmt::format("reflink=1,uuid={}", uuid), "--", path});
  return status_of(run_tool({.action = fmt::format("make {} in {}", pool.fstype, path),
                             .argv = std::move(argv),
                             .deadline = kToolDeadline,
                             .package = std::string(kind.package)}));
}

// Quotas are enabled before there is any volume, so that every volume is counted from its first
// byte.
Status Disks::prepare_tree(const VolumePool& pool) {
  TRY(const auto top, Folder::open(root_of(pool)));
  TRY_STATUS(top.set_mode(kTopMode));
  if (pool.fstype == "btrfs") TRY_STATUS(btrfs::enable_quota(top.fd()));
  TRY_STATUS(VolumeTree(root_of(pool)).prepare());
  return btrfs::flush(top.fd());
}

Status Disks::make(const VolumePool& pool, std::uint64_t size) {
  if (!is_volume_id(pool.id)) return fail(Code::kInternal, "make a pool: its id is malformed");
  TRY(const auto top, Folder::ensure(volume_dir_, kVolumeDirMode));
  TRY(const auto all, top.ensure_folder("pools", 0700));
  TRY_STATUS(discard(pool));
  TRY(const auto folder, all.make_folder(pool.id, 0700));
  TRY(const auto point, folder.make_folder(kFs, 0700));
  set_immutable(point, true);
  fault_point("volume.pool.begun");
  if (pool.device.empty()) {
    TRY(const auto image, make_sparse_file(folder, kImage, size));
    TRY_STATUS(format(pool, fmt::format("{}/{}", folder.path(), kImage)));
    TRY_STATUS(sync_file(image.get()));
  } else {
    TRY_STATUS(check_unused(pool.device));
    TRY_STATUS(format(pool, pool.device));
  }
  TRY_STATUS(folder.write_file(kPoolJson, to_pool_json(pool), 0600));
  fault_point("volume.pool.formatted");
  TRY_STATUS(folder.sync());
  TRY_STATUS(all.sync());
  TRY_STATUS(mount(pool));
  fault_point("volume.pool.mounted");
  return prepare_tree(pool);
}

// --- mounting

Result<Folder> Disks::folder_of(const VolumePool& pool) const {
  if (!is_volume_id(pool.id)) return fail(Code::kInternal, "open a pool: its id is malformed");
  TRY(const auto all, pools());
  return all.folder(pool.id);
}

Result<UniqueFd> Disks::mount_device(const VolumePool& pool, const std::string& path, int fd) {
  TRY(const auto signature, read_signature(fd));
  if (signature != FsSignature{pool.fstype, pool.id})
    return fail(
        Code::kIo,
        "{} does not hold this pool (it should be {} with the UUID {}); was it overwritten, "
        "or is another disk there now?",
        path, pool.fstype, uuid_text(pool.id));
  NewMount what{.type = pool.fstype, .source = path};
  // So that blocks of removed volumes are freed in the file system below.
  if (pool.device.empty())
    what.options.emplace_back(pool.fstype == "btrfs" ? "discard=async" : "discard");
  return make_mount(what);
}

// The loop device is freed with its last mount, in whatever namespace.
Result<UniqueFd> Disks::make_detached(const VolumePool& pool, const Folder& folder) {
  if (!pool.device.empty()) {
    const UniqueFd device(::open(pool.device.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!device) return fail_errno(errno, fmt::format("open the device {}", pool.device));
    return mount_device(pool, pool.device, device.get());
  }
  TRY(const auto image, open_image(folder, kImage, Open::kReadWrite));
  TRY_STATUS(lock_image(image.get(), kBusyDeadline));
  TRY(const auto loop, bind_loop(image.get(), {}));
  fault_point("volume.pool.bound");
  return mount_device(pool, loop.path(), loop.fd.get());
}

Result<std::string> Disks::mount(const VolumePool& pool) {
  const auto run = [&]() -> Status {
    TRY(const auto folder, folder_of(pool));
    TRY(const bool before, is_mount_point(folder.fd(), kFs));
    if (before) return {};
    TRY(const auto lock, lock_folder(folder));
    TRY(const bool meanwhile, is_mount_point(folder.fd(), kFs));
    if (meanwhile) return {};
    TRY(const auto mount, make_detached(pool, folder));
    return attach(mount.get(), folder.fd(), kFs);
  };
  if (auto done = run(); !done) {
    Error error = with_context(done.error(), fmt::format("mount pool \"{}\"", pool.name.str()));
    if (error.code == Code::kNotFound) error.code = Code::kIo;  // the pool itself exists
    return fail(std::move(error));
  }
  return root_of(pool);
}

Result<bool> Disks::is_mounted(const VolumePool& pool) {
  const auto folder = folder_of(pool);
  if (!folder && folder.error().code == Code::kNotFound) return false;
  if (!folder) return fail(folder.error());
  return is_mount_point(folder->fd(), kFs);
}

// Waits, because umount(2) returns before the loop device is free, and the mount may be busy for a
// moment while somebody's scan holds a descriptor.
Status Disks::unmount_pool(const Folder& folder) {
  const auto end = Clock::now() + kBusyDeadline;
  for (;;) {
    const auto done = unmount(folder.fd(), kFs);
    if (done) break;
    if (done.error().code != Code::kInUse || Clock::now() > end) return done;
    std::this_thread::sleep_for(20ms);
  }
  const auto image = open_image(folder, kImage, Open::kReadWrite);
  if (!image && image.error().code == Code::kNotFound) return {};
  if (!image) return fail(image.error());
  TRY(const bool free, wait_for_release(image->get(), kBusyDeadline));
  if (free) return {};
  return fail(Code::kInUse, "somebody still has the pool mounted; stop what uses its volumes");
}

Status Disks::unmount_now(const Folder& folder) {
  TRY_STATUS(unmount(folder.fd(), kFs));
  const auto image = open_image(folder, kImage, Open::kReadWrite);
  return image ? status_of(wait_for_release(image->get(), kBusyDeadline)) : status_of(image);
}

Status Disks::discard(const VolumePool& pool) {
  const auto folder = folder_of(pool);
  if (!folder && folder.error().code == Code::kNotFound) return {};
  if (!folder) return fail(folder.error());
  TRY_STATUS(unmount_pool(*folder));
  fault_point("volume.pool.unmounted");
  if (!pool.device.empty()) {
    const UniqueFd device(::open(pool.device.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    const auto signature =
        device ? read_signature(device.get()) : Result<std::optional<FsSignature>>(std::nullopt);
    // A different signature is kept, because the disk was given to somebody else.
    if (signature && *signature == FsSignature{pool.fstype, pool.id}) {
      TRY_STATUS(check_unused(pool.device));
      TRY_STATUS(wipe_signatures(pool.device));
    }
  }
  TRY(const auto all, pools());
  TRY_STATUS(remove_tree(all, pool.id));
  return all.sync();
}

// --- growing and looking

Status Disks::grow_file(const VolumePool& pool, const Folder& folder, std::uint64_t size) {
  TRY(const auto image, open_image(folder, kImage, Open::kReadWrite));
  TRY(const auto now, size_of_file(image.get()));
  if (size != 0 && size < now.length)
    return fail(Code::kUnsupported, "pool \"{}\" has {}: a pool only grows", pool.name.str(),
                format_size(now.length));
  if (size > now.length) TRY_STATUS(set_file_size(image.get(), size));
  fault_point("volume.pool.enlarged");
  TRY(const auto loop, find_loop(image.get()));
  if (!loop) return fail(Code::kIo, "pool \"{}\" is mounted, and not by us", pool.name.str());
  return update_capacity(*loop);
}

Status Disks::grow(const VolumePool& pool, std::uint64_t size) {
  TRY(const auto root, mount(pool));
  TRY(const auto folder, folder_of(pool));
  if (pool.device.empty()) {
    TRY_STATUS(grow_file(pool, folder, size));
  } else if (size != 0) {
    TRY(const auto now, size_of_device(pool.device));
    if (size != now)
      return fail(Code::kInvalid, "a pool on a device takes all of it ({}); leave the size out",
                  format_size(now));
  }
  TRY(const auto top, Folder::open(root));
  if (pool.fstype == "btrfs") return btrfs::grow_to_device(top.fd());
  std::uint64_t whole = 0;
  if (pool.device.empty()) {
    TRY(const auto image, open_image(folder, kImage, Open::kReadOnly));
    TRY(const auto now, size_of_file(image.get()));
    whole = now.length;
  } else {
    TRY(whole, size_of_device(pool.device));
  }
  return grow_mounted(top.fd(), pool.fstype, whole);
}

// Whether the mounted file system writes no more. Nothing in it is open afterwards: it could not be
// unmounted.
bool has_stopped(const Folder& folder) {
  const auto top = folder.folder(kFs);
  struct statvfs info {};
  return !top || (::fstatvfs(top->fd(), &info) == 0 && (info.f_flag & ST_RDONLY) != 0);
}

bool is_full_itself(const Folder& top) {
  const auto room = room_of(top.fd(), "");
  return room && is_full(*room);
}

// The file system of the pool, and the disk below it.
void Disks::tell_health(const Folder& folder, VolumePool& pool) {
  const bool stopped = has_stopped(folder);
  const auto below = pool.device.empty() ? room_of(folder.fd(), volume_dir_)
                                         : Result<DiskRoom>(fail(Code::kNotFound, "no disk below"));
  const bool full_below = below && is_full(*below);
  if (stopped)
    pool.health = fmt::format(
        "its file system has stopped writing: {}; stop the containers of its volumes, then it goes "
        "on by itself (fairlead reconcile)",
        full_below ? full_disk_text(*below) + ": free space there"
                   : "a write failed, as on a disk below that was full");
  else if (full_below)
    pool.health = full_disk_text(*below) + ": what is written to the pool fails; free space there";
  else if (const auto top = folder.folder(kFs); top && is_full_itself(*top))
    pool.health =
        fmt::format("it is full: remove volumes or snapshots, or make it larger ({})",
                    pool.device.empty() ? fmt::format("fairlead pool grow {} SIZE", pool.name.str())
                                        : "grow its device, then fairlead pool grow");
}

Result<bool> Disks::mend(const VolumePool& pool) {
  TRY(const auto folder, folder_of(pool));
  TRY(const bool mounted, is_mount_point(folder.fd(), kFs));
  if (!mounted || !pool.device.empty()) return false;
  if (!has_stopped(folder)) return false;
  const auto below = room_of(folder.fd(), volume_dir_);
  if (!below || is_full(*below)) return false;
  const auto released = unmount_now(folder);
  if (!released && released.error().code == Code::kInUse) return false;
  TRY_STATUS(released);
  fault_point("volume.pool.heal-unmounted");
  TRY_STATUS(mount(pool));
  return true;
}

VolumePool Disks::look_at(const VolumePool& pool) {
  VolumePool seen = pool;
  seen.health = "ok";
  const auto look = [&]() -> Status {
    TRY(const auto folder, folder_of(pool));
    TRY(const bool mounted, is_mount_point(folder.fd(), kFs));
    struct statvfs info {};
    if (mounted) {
      const UniqueFd top(::openat(folder.fd(), kFs, O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (!top || ::fstatvfs(top.get(), &info) != 0) return fail_errno(errno, "measure a pool");
      seen.size = std::uint64_t{info.f_blocks} * info.f_frsize;
      seen.used = std::uint64_t{info.f_blocks - info.f_bfree} * info.f_frsize;
      tell_health(folder, seen);
      return {};
    }
    if (!pool.device.empty()) return status_of(size_of_device(pool.device));
    return status_of(open_image(folder, kImage, Open::kReadOnly));
  };
  if (const auto done = look(); !done) seen.health = done.error().text;
  return seen;
}

Result<std::size_t> Disks::entries_in(const VolumePool& pool) {
  TRY(const auto root, mount(pool));
  TRY(const auto top, Folder::open(root));
  std::size_t count = 0;
  for (const char* part : {"vol", "tmp", "trash"}) {
    const auto folder = top.folder(part);
    if (!folder && folder.error().code == Code::kNotFound) continue;
    if (!folder) return fail(folder.error());
    TRY(const auto names, folder->names());
    count += names.size();
  }
  return count;
}

// --- what the record says, beside the pool

Status Disks::write_down(const VolumePool& pool) {
  const auto folder = folder_of(pool);
  if (!folder && folder.error().code == Code::kNotFound) return {};
  if (!folder) return fail(folder.error());
  const std::string text = to_pool_json(pool);
  const auto there = folder->read_file(kPoolJson, kLargestJson);
  if (there && *there == text) return {};
  return folder->replace_file(kPoolJson, text, 0600);
}

Result<std::optional<Promise>> Disks::promise(const VolumePool& pool) {
  const auto folder = folder_of(pool);
  if (!folder || !pool.device.empty()) return std::nullopt;
  const auto image = open_image(*folder, kImage, Open::kReadOnly);
  if (!image) return std::nullopt;
  TRY(const auto size, size_of_file(image->get()));
  TRY(const auto room, room_of(image->get(), folder->path()));
  return Promise{.device = room.device, .size = size.length, .taken = size.allocated};
}

// Of one that an older version made, or whose pool.json is damaged, the file system says what it is,
// and the volumes in it what it was called.
VolumePool Disks::lost_pool(const Folder& folder, const std::string& id) {
  const auto text = folder.read_file(kPoolJson, kLargestJson);
  if (auto pool = text ? parse_pool_json(*text) : Result<VolumePool>(fail(text.error()));
      pool && pool->id == id)
    return std::move(*pool);
  VolumePool pool{.id = id, .fstype = {}, .device = {}, .health = {}};
  pool.name = PoolName::parse("recovered-" + id.substr(0, 8)).value_or(PoolName());
  const auto look = [&]() -> Status {
    TRY(const auto image, open_image(folder, kImage, Open::kReadOnly));
    TRY(const auto signature, read_signature(image.get()));
    if (!signature || signature->uuid != id)
      return fail(Code::kIo, "its file {}/{} does not hold it", folder.path(), kImage);
    TRY(const auto size, size_of_file(image.get()));
    pool.fstype = signature->type;
    pool.size = size.length;
    TRY(const auto root, mount(pool));
    TRY(const auto lost, find_lost_volumes(VolumeTree(root), [](const auto&) { return false; }));
    for (const FoundVolume& found : lost)
      if (auto name = PoolName::parse(found.volume.options.pool); name) pool.name = *name;
    return {};
  };
  if (const auto done = look(); !done) pool.health = done.error().text;
  return pool;
}

Result<std::vector<VolumePool>> Disks::find_lost(
    const std::function<Result<bool>(const std::string& id)>& is_known) {
  std::vector<VolumePool> found;
  const auto all = pools();
  if (!all && all.error().code == Code::kNotFound) return found;
  if (!all) return fail(all.error());
  TRY(const auto names, all->names());
  for (const std::string& name : names) {
    if (!is_volume_id(name)) continue;
    TRY(const bool known, is_known(name));
    const auto folder = known ? Result<Folder>(fail(Code::kExists, "")) : all->folder(name);
    if (folder) found.push_back(lost_pool(*folder, name));
  }
  return found;
}

Status Disks::sweep_folders(const std::function<Result<bool>(const std::string& id)>& is_known,
                            ReconcileReport& report) {
  TRY(const auto all, pools());
  TRY(const auto names, all.names());
  for (const std::string& name : names) {
    TRY(const bool known, is_known(name));
    if (known) continue;
    // A folder without a record may hold anything, so it is kept. An unfinished pool has a record
    // until it is discarded.
    report.failures.push_back(
        fmt::format("{}/{} belongs to no pool that Fairlead knows; it was left alone (fairlead "
                    "volume recover takes pools back)",
                    all.path(), shown(name)));
  }
  return {};
}

ReconcileReport Disks::sweep(const std::function<Result<bool>(const std::string& id)>& is_known) {
  ReconcileReport report;
  const auto done = sweep_folders(is_known, report);
  if (!done && done.error().code != Code::kNotFound)
    report.failures.push_back(fmt::format("sweep {}: {}", pools_path(), done.error().text));
  return report;
}

}  // namespace

std::unique_ptr<PoolDisks> make_pool_disks(std::string volume_dir,
                                           std::vector<std::string> device_roots) {
  return std::make_unique<Disks>(std::move(volume_dir), std::move(device_roots));
}

}  // namespace fairlead::volume
