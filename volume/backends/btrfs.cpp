#include "volume/backends/btrfs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fault.h"
#include "base/log.h"
#include "base/options/values.h"
#include "base/text.h"
#include "volume/backends/btrfs_inner.h"
#include "volume/backends/btrfs_moment.h"
#include "volume/backends/btrfs_space.h"
#include "volume/backends/disk_room.h"
#include "volume/backends/folder_backend.h"
#include "volume/backends/mount_view.h"
#include "volume/backends/option_support.h"
#include "volume/backends/users.h"
#include "volume/kernel/btrfs.h"
#include "volume/kernel/btrfs_quota.h"
#include "volume/kernel/btrfs_tree.h"
#include "volume/kernel/copy_tree.h"
#include "volume/kernel/remove_tree.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kBackend = "btrfs";
constexpr const char* kFs = "fs";
constexpr const char* kRolling = "rolling";  // holds the other content during a roll-back
// An attribute of the top folder of a subvolume that a roll-back built: the id of the snapshot that
// the roll-back is to leave behind.
constexpr const char* kRollMark = "trusted.fairlead.kept";

const OwnMounts& own_mounts() {
  static const OwnMounts kOwn{kViewMount};
  return kOwn;
}

Status check_id(const std::string& snapshot) {
  if (is_volume_id(snapshot)) return {};
  return fail(Code::kInternal, "the id of a snapshot is malformed");
}

Status check_compress(const std::string& text) {
  constexpr std::array<std::string_view, 4> kKnown{"zstd", "lzo", "zlib", "off"};
  if (text.empty() || std::ranges::find(kKnown, text) != kKnown.end()) return {};
  if (text.find(':') != std::string::npos)
    return fail(Code::kUnsupported,
                "volume option \"compress\" takes no level: btrfs has one for a whole file system "
                "only; mount that with compress={}, and write compress={} here",
                text, text.substr(0, text.find(':')));
  return fail(Code::kInvalid, "volume option \"compress\": {} is none of {}", text,
              fmt::join(kKnown, ", "));
}

// Set when the subvolume is created or cloned, because everything written later inherits the
// properties.
Status set_properties(const Folder& data, const VolumeOptions& options) {
  if (!options.compress.empty())
    TRY_STATUS(
        btrfs::set_compression(data.fd(), options.compress == "off" ? "none" : options.compress));
  if (!options.cow) TRY_STATUS(btrfs::set_in_place(data.fd()));
  return {};
}

// `fs` is the subvolume in `folder`. Called without a size too: with simple quotas a snapshot
// starts without a limit, and joins a group so that what is created inside is counted; with full
// quotas it inherits the limit of its source, which is removed.
Status set_size(const Folder& folder, const Folder& fs, const std::optional<std::uint64_t>& size) {
  TRY(const auto kind, size ? btrfs::enable_quota(fs.fd()) : btrfs::quota_kind(fs.fd()));
  if (kind == btrfs::QuotaKind::kNone) return {};
  TRY(const auto id, btrfs::id_of(fs.fd()));
  return btrfs::set_limit(folder.fd(), id, size);
}

class BtrfsBackend : public FolderBackend {
 public:
  explicit BtrfsBackend(std::string root) : FolderBackend(std::move(root)) {}

  std::string name() const override { return std::string(kBackend); }
  Status validate(const VolumeOptions& options) const override;
  Status create(const Volume& volume, Rollback& undo) override;
  std::string data_path(const Volume& volume) const override;
  Result<std::string> mount(const Volume& volume) override;
  Result<VolumeStatus> status(const Volume& volume) override;

  Status resize(const Volume& volume, std::uint64_t size) override;
  Status take_snapshot(const Volume& volume, const Snapshot& snapshot,
                       const Progress& progress) override;
  Result<std::unique_ptr<MomentPart>> begin_moment(const Volume& volume,
                                                   const Snapshot& snapshot) override;
  Status drop_snapshot(const Volume& volume, const std::string& snapshot_id) override;
  Status roll_back(const Volume& volume, const Snapshot& snapshot, const Snapshot& kept,
                   const Progress& progress) override;
  Status clone(const Volume& volume, const Volume& source, const std::string& snapshot_id,
               Rollback& undo, const Progress& progress) override;
  Result<CheckReport> check(const Volume& volume, bool repair, const Progress& progress) override;
  Result<UniqueFd> open_data(const Volume& volume, const std::string& snapshot_id) override;
  Result<std::string> mount_snapshot(const Volume& volume, const std::string& snapshot_id) override;
  Result<VolumeStatus> usage(const Volume& volume, const Progress& progress) override;
  Result<std::map<std::string, std::uint64_t>> snapshot_space(const Volume& volume) override;
  Result<bool> mend(const Volume& volume) override;
  Result<std::optional<Fullness>> fill(const Volume& volume) override;

 private:
  Status look_inside(const Folder& fs, std::uint64_t id, VolumeStatus& status);
  Result<Folder> fs_of(const Volume& volume) const;
  Result<Folder> data_of(const Volume& volume) const;
  Result<Folder> snapshot_of(const Volume& volume, const std::string& snapshot_id) const;
  Result<Folder> begin_on_btrfs(const Volume& volume, Rollback& undo);
  Result<std::string> users_in(const MountScan& scan, const Folder& folder) const override;
  Status build_next(const Folder& folder, const Volume& volume, const Folder& snapshot,
                    const std::string& kept);

  MountViews views_;
};

Status BtrfsBackend::validate(const VolumeOptions& options) const {
  TRY_STATUS(refuse_unsupported(
      kBackend, options,
      {"size", "uid", "gid", "mode", "from", "idmap", "compress", "cow", "snapshots", "autogrow"}));
  TRY_STATUS(check_autogrow(options));
  TRY_STATUS(check_compress(options.compress));
  if (!options.cow && !options.compress.empty() && options.compress != "off")
    return fail(Code::kInvalid,
                "volume options compress={} and cow=false exclude each other: what is written in "
                "place is not compressed",
                options.compress);
  return MountViews::validate(kBackend, options);
}

// --- creating and removing

Result<Folder> BtrfsBackend::begin_on_btrfs(const Volume& volume, Rollback& undo) {
  TRY(auto building, begin(volume, undo));
  TRY(const bool fits, btrfs::is_on(building.fd()));
  if (!fits)
    return fail(Code::kUnsupported,
                "{} is not on btrfs; make a pool (fairlead pool create) and use pool=<name>",
                pool_.root());
  return building;
}

Status BtrfsBackend::create(const Volume& volume, Rollback& undo) {
  if (const auto there = pool_.has(volume.id); there && *there) return {};
  const VolumeOptions& options = volume.options;
  TRY(const auto building, begin_on_btrfs(volume, undo));
  TRY_STATUS(btrfs::create(building, kFs));
  fault_point("volume.build.subvolume");
  TRY(const auto fs, building.folder(kFs));
  TRY_STATUS(set_size(building, fs, options.size));
  fault_point("volume.build.limited");
  TRY(const auto data, fs.make_folder("_data", 0700));
  TRY_STATUS(set_properties(data, options));
  TRY_STATUS(data.set_owner(options.uid, options.gid));
  // after the owner, because chown(2) clears setuid and setgid
  TRY_STATUS(data.set_mode(options.mode));
  TRY_STATUS(data.sync());
  return pool_.publish(volume, building);
}

Status BtrfsBackend::clone(const Volume& volume, const Volume& source,
                           const std::string& snapshot_id, Rollback& undo, const Progress&) {
  if (const auto there = pool_.has(volume.id); there && *there) return {};
  const VolumeOptions& options = volume.options;
  TRY(const auto from, snapshot_id.empty() ? fs_of(source) : snapshot_of(source, snapshot_id));
  TRY(const auto building, begin_on_btrfs(volume, undo));
  TRY_STATUS(snapshot_whole(from, building, kFs, btrfs::Writable::kYes, "a clone"));
  fault_point("volume.clone.copied");
  TRY(const auto fs, building.folder(kFs));
  TRY_STATUS(set_size(building, fs, options.size));  // before anybody can write
  fault_point("volume.clone.limited");
  TRY(const auto data, fs.folder("_data"));
  TRY_STATUS(set_properties(data, options));
  TRY_STATUS(data.sync());
  return pool_.publish(volume, building);
}

// --- the data

Result<Folder> BtrfsBackend::fs_of(const Volume& volume) const {
  auto fs = pool_.open(volume.id).and_then(
      [](const Folder& folder) { return tl::expected<Folder, Error>(folder.folder(kFs)); });
  if (fs) return std::move(*fs);
  const std::string path = fmt::format("{}/{}", pool_.path_of(volume.id), kFs);
  if (fs.error().code == Code::kNotFound)
    return fail(Error{Code::kIo, fs.error().sys_errno,
                      fmt::format("the subvolume {} is missing: it was moved or deleted by hand; "
                                  "put it back, or remove the volume",
                                  path)});
  return fail(with_context(fs.error(), fmt::format("the subvolume {} cannot be opened", path)));
}

Result<Folder> BtrfsBackend::data_of(const Volume& volume) const {
  TRY(const auto fs, fs_of(volume));
  auto data = fs.folder("_data");
  if (data) return data;
  Error error = with_context(data.error(), fmt::format("the data folder {}/_data is missing or "
                                                       "cannot be opened",
                                                       fs.path()));
  if (error.code == Code::kNotFound) error.code = Code::kIo;
  return fail(std::move(error));
}

Result<Folder> BtrfsBackend::snapshot_of(const Volume& volume,
                                         const std::string& snapshot_id) const {
  TRY_STATUS(check_id(snapshot_id));
  TRY(const auto folder, pool_.open(volume.id));
  return folder.folder("snapshots/" + snapshot_id);
}

std::string BtrfsBackend::data_path(const Volume& volume) const {
  const bool view = MountViews::needed(volume.options);
  return view ? fmt::format("{}/{}", pool_.path_of(volume.id), kViewMount)
              : fmt::format("{}/{}/_data", pool_.path_of(volume.id), kFs);
}

Result<std::string> BtrfsBackend::mount(const Volume& volume) {
  TRY(const auto data, data_of(volume));
  // the volume works all the same, and status() reports it
  if (const auto mended = mend(volume); !mended)
    log::warn("the limit of a volume does not hold for subvolumes inside it",
              {{"volume", volume.name.str()}, {"error", mended.error().text}});
  if (MountViews::needed(volume.options)) {
    TRY(const auto folder, pool_.open(volume.id));
    TRY_STATUS(views_.mount(folder, data.fd(), volume.options));
  }
  return data_path(volume);
}

Result<std::string> BtrfsBackend::users_in(const MountScan& scan, const Folder& folder) const {
  TRY(const auto place, scan.place_of(folder.fd()));
  return users_text(scan, folder, {place}, own_mounts(), snapshots_place(place));
}

// Brings subvolumes under the limit that are not: those that an older version limited alone, or
// whose creator took them out of it.
Result<bool> BtrfsBackend::mend(const Volume& volume) {
  TRY(const auto fs, fs_of(volume));
  TRY(const auto id, btrfs::id_of(fs.fd()));
  TRY(const bool some, btrfs::needs_joining(fs.fd(), id));
  if (!some) return false;
  TRY(const auto limit, btrfs::limit_of(fs.fd(), id));
  TRY(const auto folder, pool_.open(volume.id));
  TRY_STATUS(btrfs::set_limit(folder.fd(), id, limit));
  return true;
}

// Reports what subvolumes inside mean for the limit, and which verbs they prevent.
Status BtrfsBackend::look_inside(const Folder& fs, std::uint64_t id, VolumeStatus& status) {
  TRY(const auto kind, btrfs::quota_kind(fs.fd()));
  if (status.size && kind == btrfs::QuotaKind::kFull)
    status.reason =
        "its limit does not hold for subvolumes that are made inside it: this file system has full "
        "quotas, not simple ones (kernel 6.7)";
  TRY(const bool loose, btrfs::needs_joining(fs.fd(), id));
  TRY(const auto inner, inner_of(fs));
  const auto warn = [&](std::string text) {
    set_health(status, Condition::kWarning, std::move(text));
  };
  if (status.size && loose)
    warn(
        "its limit does not hold for subvolumes inside it; mount it again, or run "
        "fairlead reconcile");
  else if (!inner.empty() && kind == btrfs::QuotaKind::kFull)
    warn(
        fmt::format("subvolumes were made inside: {}; with the full quotas of this file system "
                    "snapshots, clones and rollback cannot take them along and are refused; "
                    "export and backup can",
                    names_of(inner)));
  else if (inner.size() > btrfs::kMostInTree)
    warn(
        fmt::format("more than {} subvolumes were made inside: {}; snapshots, clones and rollback "
                    "take no more along and are refused; export and backup can",
                    btrfs::kMostInTree, names_of(inner)));
  return {};
}

Result<VolumeStatus> BtrfsBackend::status(const Volume& volume) {
  VolumeStatus status{.backend = std::string(kBackend), .health = "ok"};
  const auto look = [&]() -> Status {
    TRY([[maybe_unused]] const auto data, data_of(volume));
    TRY(const auto fs, fs_of(volume));
    TRY(const auto id, btrfs::id_of(fs.fd()));
    TRY(status.size, btrfs::limit_of(fs.fd(), id));
    TRY(status.used, btrfs::used_by(fs.fd(), id));
    TRY_STATUS(tell_users(volume, status));
    if (volume.options.size && !status.size) {
      set_health(status, Condition::kWarning,
                 "its limit is missing: quotas were switched off; set the size again");
      return {};
    }
    TRY_STATUS(look_inside(fs, id, status));
    return look_at_snapshots(fs, volume, status);
  };
  if (const auto seen = look(); !seen) set_health(status, seen.error());
  tell_full_disk(pool_.room(), status);
  tell_own_limit(volume, status);
  return status;
}

Result<std::optional<Fullness>> BtrfsBackend::fill(const Volume& volume) {
  TRY(const auto fs, fs_of(volume));
  TRY(const auto id, btrfs::id_of(fs.fd()));
  TRY(const auto limit, btrfs::limit_of(fs.fd(), id));
  TRY(const auto used, btrfs::used_by(fs.fd(), id));
  if (!limit || !used) return std::nullopt;
  return Fullness{.size = *limit, .free = *limit - std::min(*limit, *used)};
}

Result<VolumeStatus> BtrfsBackend::usage(const Volume& volume, const Progress& progress) {
  TRY(const auto fs, fs_of(volume));
  TRY_STATUS(btrfs::flush(fs.fd()));  // because quotas count only what is committed
  TRY(auto status, status(volume));
  if (const auto kept = only_in_snapshots(fs, volume, status.used))
    status.only_in_snapshots = *kept;
  if (status.used) return status;
  TRY(const auto data, data_of(volume));
  TRY(const auto size, measure_tree(data.fd(), [&](std::uint64_t bytes) {
        return !progress || progress(bytes, 0);
      }));
  status.used = size.bytes;
  status.inodes_used = size.inodes;
  return status;
}

Result<std::map<std::string, std::uint64_t>> BtrfsBackend::snapshot_space(const Volume& volume) {
  TRY(const auto fs, fs_of(volume));
  TRY(const auto id, btrfs::id_of(fs.fd()));
  TRY(const auto used, btrfs::used_by(fs.fd(), id));
  return held_by_one_snapshot(fs, volume, used);
}

Result<UniqueFd> BtrfsBackend::open_data(const Volume& volume, const std::string& snapshot_id) {
  TRY(const auto fs, snapshot_id.empty() ? fs_of(volume) : snapshot_of(volume, snapshot_id));
  return open_beneath(fs.fd(), "_data", O_RDONLY | O_DIRECTORY);
}

Result<std::string> BtrfsBackend::mount_snapshot(const Volume& volume,
                                                 const std::string& snapshot_id) {
  TRY(const auto data, open_data(volume, snapshot_id));
  return mount_snapshot_folder(views_, volume, snapshot_id, data.get());
}

// --- sizes, snapshots

Status BtrfsBackend::resize(const Volume& volume, std::uint64_t size) {
  TRY(const auto fs, fs_of(volume));
  TRY_STATUS(btrfs::enable_quota(fs.fd()));
  TRY_STATUS(btrfs::flush(fs.fd()));
  TRY(const auto id, btrfs::id_of(fs.fd()));
  TRY(const auto used, btrfs::used_by(fs.fd(), id));
  if (used && *used > size)
    return fail(Code::kExhausted,
                "it needs at least {} MiB, more than {}; delete some files or snapshots, or take "
                "that size",
                (*used >> 20) + 1, format_size(size));
  fault_point("volume.resize.checked");
  TRY(const auto folder, pool_.open(volume.id));
  return btrfs::set_limit(folder.fd(), id, size);
}

Status BtrfsBackend::take_snapshot(const Volume& volume, const Snapshot& snapshot,
                                   const Progress&) {
  TRY_STATUS(check_id(snapshot.id));
  TRY(const auto fs, fs_of(volume));
  TRY(const auto folder, pool_.open(volume.id));
  TRY(const auto snapshots, folder.ensure_folder("snapshots", 0700));
  TRY(const bool there, snapshots.has(snapshot.id));
  if (there) return {};
  TRY_STATUS(snapshot_whole(fs, snapshots, snapshot.id, btrfs::Writable::kNo, "a snapshot"));
  fault_point("volume.snapshot.made");
  return {};
}

Result<std::unique_ptr<MomentPart>> BtrfsBackend::begin_moment(const Volume& volume,
                                                               const Snapshot& snapshot) {
  TRY_STATUS(check_id(snapshot.id));
  TRY(const auto users, users(volume));
  if (users.empty()) return Backend::begin_moment(volume, snapshot);
  TRY(auto fs, fs_of(volume));
  TRY(const auto folder, pool_.open(volume.id));
  TRY(auto snapshots, folder.ensure_folder("snapshots", 0700));
  return make_subvolume_part(
      {.fs = std::move(fs), .snapshots = std::move(snapshots), .name = snapshot.id});
}

Status BtrfsBackend::drop_snapshot(const Volume& volume, const std::string& snapshot_id) {
  TRY_STATUS(check_id(snapshot_id));
  const auto snapshots = pool_.open(volume.id).and_then(
      [](const Folder& folder) { return tl::expected<Folder, Error>(folder.folder("snapshots")); });
  if (!snapshots && snapshots.error().code == Code::kNotFound) return {};
  if (!snapshots) return fail(snapshots.error());
  TRY_STATUS(btrfs::forget_tree_snapshot(*snapshots));  // what a killed one left
  TRY_STATUS(remove_tree(*snapshots, snapshot_id));
  return btrfs::free_destroyed(snapshots->fd());  // a full volume waits for it
}

// Whether the roll-back that leaves `kept` behind has exchanged the contents already.
Result<bool> is_exchanged(const Folder& fs, const std::string& kept) {
  std::array<char, 64> mark{};
  const ssize_t length = ::fgetxattr(fs.fd(), kRollMark, mark.data(), mark.size());
  if (length < 0 && errno == ENODATA) return false;
  if (length < 0) return fail_errno(errno, fmt::format("read the mark of {}", fs.path()));
  return std::string_view(mark.data(), static_cast<std::size_t>(length)) == kept;
}

Status BtrfsBackend::build_next(const Folder& folder, const Volume& volume, const Folder& snapshot,
                                const std::string& kept) {
  TRY(const auto old, folder.folder(kFs));
  TRY(const auto old_id, btrfs::id_of(old.fd()));
  TRY(auto size, btrfs::limit_of(old.fd(), old_id));
  if (!size) size = volume.options.size;
  TRY_STATUS(remove_tree(folder, kRolling));
  TRY_STATUS(snapshot_whole(snapshot, folder, kRolling, btrfs::Writable::kYes, "a rollback"));
  fault_point("volume.roll-back.copied");
  TRY(const auto next, folder.folder(kRolling));
  TRY_STATUS(set_size(folder, next, size));
  if (::fsetxattr(next.fd(), kRollMark, kept.data(), kept.size(), 0) != 0)
    return fail_errno(errno, fmt::format("mark {}", next.path()));
  TRY_STATUS(btrfs::flush(next.fd()));
  fault_point("volume.roll-back.built");
  TRY_STATUS(folder.exchange(kRolling, folder, kFs));
  fault_point("volume.roll-back.exchanged");
  return {};
}

Status BtrfsBackend::roll_back(const Volume& volume, const Snapshot& snapshot, const Snapshot& kept,
                               const Progress&) {
  TRY_STATUS(check_id(kept.id));
  TRY(const auto users, users(volume));
  if (!users.empty()) return fail(Code::kInUse, "it is in use: {}; stop what uses it first", users);
  TRY_STATUS(unmount(volume));  // because the view is a mount of the folder that is replaced
  TRY(const auto folder, pool_.open(volume.id));
  TRY(const auto snapshots, folder.ensure_folder("snapshots", 0700));
  TRY(const bool moved, snapshots.has(kept.id));
  if (!moved) {
    TRY(const auto fs, fs_of(volume));
    TRY(const bool exchanged, is_exchanged(fs, kept.id));
    if (!exchanged) {
      TRY(const auto source, snapshot_of(volume, snapshot.id));
      TRY_STATUS(refuse_too_many(fs));
      TRY_STATUS(build_next(folder, volume, source, kept.id));
    }
    TRY_STATUS(folder.rename(kRolling, snapshots, kept.id));
    fault_point("volume.roll-back.kept");
  }
  TRY(const auto old, snapshots.folder(kept.id));
  TRY(const auto old_id, btrfs::id_of(old.fd()));
  // because a subvolume at its limit cannot be made read-only
  TRY_STATUS(btrfs::forget_limit(snapshots.fd(), old_id));
  TRY_STATUS(btrfs::seal_tree(old));
  return btrfs::flush(old.fd());
}

// Scrubs the whole file system, because btrfs cannot scrub less.
Result<CheckReport> BtrfsBackend::check(const Volume& volume, bool repair,
                                        const Progress& progress) {
  TRY(const auto fs, fs_of(volume));
  const auto mode = repair ? btrfs::ScrubMode::kRepair : btrfs::ScrubMode::kReadOnly;
  TRY(const auto result, btrfs::scrub(fs.fd(), mode, progress));
  CheckReport report{.clean = result.damaged == 0 && result.unrepairable == 0};
  report.findings.push_back(
      fmt::format("read {} bytes of the file system that holds the volume: {} damaged blocks",
                  result.read_bytes, result.damaged));
  if (result.unrepairable > 0)
    report.findings.push_back(
        fmt::format("{} of them have no second copy: restore those files from a backup (the "
                    "kernel's log names them)",
                    result.unrepairable));
  return report;
}

}  // namespace

std::unique_ptr<Backend> make_btrfs_backend(std::string root) {
  return std::make_unique<BtrfsBackend>(std::move(root));
}

}  // namespace fairlead::volume
