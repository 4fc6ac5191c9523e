#include "volume/backends/dir.h"

#include <fcntl.h>

#include "base/fault.h"
#include "base/options/values.h"
#include "volume/backends/copied_snapshots.h"
#include "volume/backends/disk_room.h"
#include "volume/backends/folder_backend.h"
#include "volume/backends/mount_view.h"
#include "volume/backends/option_support.h"
#include "volume/backends/users.h"
#include "volume/kernel/copy_tree.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kBackend = "dir";

const OwnMounts& own_mounts() {
  static const OwnMounts kOwn{kViewMount};
  return kOwn;
}

class DirBackend : public FolderBackend {
 public:
  explicit DirBackend(std::string root) : FolderBackend(std::move(root)) {}

  std::string name() const override { return std::string(kBackend); }
  Status validate(const VolumeOptions& options) const override;
  Status create(const Volume& volume, Rollback& undo) override;
  bool follows_from_record(const VolumeOptions& options) const override;
  Status create_unflushed(const Volume& volume, Rollback& undo) override;
  Result<bool> settle(const Volume& volume) override;
  std::string data_path(const Volume& volume) const override;
  Result<std::string> mount(const Volume& volume) override;
  Result<VolumeStatus> status(const Volume& volume) override;

  Status resize(const Volume& volume, std::uint64_t size) override;
  Status take_snapshot(const Volume& volume, const Snapshot& snapshot,
                       const Progress& progress) override;
  Status drop_snapshot(const Volume& volume, const std::string& snapshot_id) override;
  Status roll_back(const Volume& volume, const Snapshot& snapshot, const Snapshot& kept,
                   const Progress& progress) override;
  Status clone(const Volume& volume, const Volume& source, const std::string& snapshot_id,
               Rollback& undo, const Progress& progress) override;
  Result<UniqueFd> open_data(const Volume& volume, const std::string& snapshot_id) override;
  Result<std::string> mount_snapshot(const Volume& volume, const std::string& snapshot_id) override;
  Result<VolumeStatus> usage(const Volume& volume, const Progress& progress) override;

 private:
  Result<std::string> users_in(const MountScan& scan, const Folder& folder) const override;
  Status build(const Volume& volume, Rollback& undo, Flush flush);
  Status need_tree() const;
  Result<Folder> data_of(const Volume& volume) const;
  Status need_rest(const Volume& volume, std::string_view what);

  MountViews views_;
};

Status DirBackend::validate(const VolumeOptions& options) const {
  TRY_STATUS(refuse_unsupported(kBackend, options, {"uid", "gid", "mode", "from", "idmap"}));
  return MountViews::validate(kBackend, options);
}

Status DirBackend::build(const Volume& volume, Rollback& undo, Flush flush) {
  if (const auto there = pool_.has(volume.id); there && *there) return {};
  const VolumeOptions& options = volume.options;
  TRY(const auto building, begin(volume, undo));
  TRY(const auto data, building.make_folder("_data", 0700));
  TRY_STATUS(data.set_owner(options.uid, options.gid));
  // after the owner, because chown(2) clears setuid and setgid
  TRY_STATUS(data.set_mode(options.mode));
  if (flush == Flush::kNow) TRY_STATUS(data.sync());
  return pool_.publish(volume, building, flush);
}

// Later volumes of the tree may come to the disk after their answers; the tree itself does not.
Status DirBackend::create(const Volume& volume, Rollback& undo) {
  const bool first = !pool_.part("vol");
  TRY_STATUS(build(volume, undo, Flush::kNow));
  return first ? pool_.flush_root() : Status();
}

// Not the first volume of all: where a later one finds no tree, the disk is missing, and nothing may
// be made in its place. Nor one in a pool, which may be gone when what was begun is taken up.
bool DirBackend::follows_from_record(const VolumeOptions& options) const {
  return options.pool.empty() && options.from_volume.empty() && pool_.part("vol").has_value();
}

Status DirBackend::need_tree() const {
  const auto vol = pool_.part("vol");
  if (vol) return {};
  return fail(Code::kIo,
              "the folder of all volumes {} is missing or cannot be read ({}): mount its disk",
              pool_.root(), vol.error().text);
}

Status DirBackend::create_unflushed(const Volume& volume, Rollback& undo) {
  TRY_STATUS(need_tree());
  return build(volume, undo, Flush::kLater);
}

Result<bool> DirBackend::settle(const Volume& volume) {
  TRY_STATUS(need_tree());
  TRY(const bool there, pool_.has(volume.id));
  if (there) {
    TRY([[maybe_unused]] const auto data, data_of(volume));
    TRY_STATUS(pool_.settle(volume));
    return false;
  }
  Rollback undo;
  TRY_STATUS(build(volume, undo, Flush::kNow));
  undo.commit();
  return true;
}

// --- the data

Result<Folder> DirBackend::data_of(const Volume& volume) const {
  auto data = pool_.open(volume.id).and_then(
      [](const Folder& folder) { return tl::expected<Folder, Error>(folder.folder("_data")); });
  if (data) return std::move(*data);
  const std::string path = pool_.data_path(volume.id);
  if (data.error().code == Code::kNotFound)
    return fail(Error{Code::kIo, data.error().sys_errno,
                      fmt::format("the data folder {} is missing: it was moved or deleted by hand; "
                                  "put it back, or remove the volume",
                                  path)});
  return fail(with_context(data.error(), fmt::format("the data folder {} cannot be opened", path)));
}

std::string DirBackend::data_path(const Volume& volume) const {
  if (MountViews::needed(volume.options))
    return fmt::format("{}/{}", pool_.path_of(volume.id), kViewMount);
  return pool_.data_path(volume.id);
}

Result<std::string> DirBackend::mount(const Volume& volume) {
  TRY(const auto data, data_of(volume));
  if (!MountViews::needed(volume.options)) return pool_.data_path(volume.id);
  TRY(const auto folder, pool_.open(volume.id));
  TRY_STATUS(views_.mount(folder, data.fd(), volume.options));
  return data_path(volume);
}

Result<std::string> DirBackend::users_in(const MountScan& scan, const Folder& folder) const {
  TRY(const auto place, scan.place_of(folder.fd()));
  return users_text(scan, folder, {place}, own_mounts(), snapshots_place(place));
}

Result<VolumeStatus> DirBackend::status(const Volume& volume) {
  VolumeStatus status{.backend = std::string(kBackend), .health = "ok"};
  const auto data = data_of(volume);
  if (!data) {
    set_health(status, data.error());
    return status;
  }
  if (const auto seen = tell_users(volume, status); !seen) set_health(status, seen.error());
  tell_full_disk(room_of(data->fd(), pool_.root()), status);
  return status;
}

Result<VolumeStatus> DirBackend::usage(const Volume& volume, const Progress& progress) {
  TRY(auto status, status(volume));
  TRY(const auto data, data_of(volume));
  TRY(const auto size, measure_tree(data.fd(), [&](std::uint64_t bytes) {
        return !progress || progress(bytes, 0);
      }));
  status.used = size.bytes;
  status.inodes_used = size.inodes;
  return status;
}

Result<UniqueFd> DirBackend::open_data(const Volume& volume, const std::string& snapshot_id) {
  TRY(const auto folder, pool_.open(volume.id));
  TRY(const auto data, snapshot_id.empty() ? data_of(volume) : copied::open(folder, snapshot_id));
  return open_beneath(data.fd(), ".", O_RDONLY | O_DIRECTORY);
}

Status DirBackend::resize(const Volume& volume, std::uint64_t size) {
  return fail(Code::kUnsupported,
              "backend dir has no size: it may use all of the file system below it; for a limit "
              "make a new volume of its content: fairlead volume export {0} | fairlead volume "
              "import -o size={1} NEW",
              volume.name.str(), format_size(size));
}

Result<std::string> DirBackend::mount_snapshot(const Volume& volume,
                                               const std::string& snapshot_id) {
  TRY(const auto data, open_data(volume, snapshot_id));
  return mount_snapshot_folder(views_, volume, snapshot_id, data.get());
}

// --- copies

Status DirBackend::need_rest(const Volume& volume, std::string_view what) {
  TRY(const auto users, users(volume));
  if (users.empty()) return {};
  return fail(
      Code::kInUse,
      "{} of a volume of backend dir is a copy, made while nobody writes, and it is in use: "
      "{}; stop what uses it, or keep it in a btrfs pool, where a snapshot costs nothing (fairlead "
      "pool create, then -o pool=NAME)",
      what, users);
}

Status DirBackend::take_snapshot(const Volume& volume, const Snapshot& snapshot,
                                 const Progress& progress) {
  TRY_STATUS(need_rest(volume, "a snapshot"));
  TRY([[maybe_unused]] const auto data, data_of(volume));
  TRY(const auto folder, pool_.open(volume.id));
  return copied::take(folder, snapshot.id, progress);
}

Status DirBackend::drop_snapshot(const Volume& volume, const std::string& snapshot_id) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return {};
  if (!folder) return fail(folder.error());
  return copied::drop(*folder, snapshot_id);
}

Status DirBackend::roll_back(const Volume& volume, const Snapshot& snapshot, const Snapshot& kept,
                             const Progress& progress) {
  TRY_STATUS(need_rest(volume, "going back to a snapshot"));
  TRY_STATUS(unmount(volume));  // because the view is a mount of the folder that is replaced
  TRY(const auto folder, pool_.open(volume.id));
  return copied::roll_back(folder, snapshot.id, kept.id, progress);
}

Status DirBackend::clone(const Volume& volume, const Volume& source, const std::string& snapshot_id,
                         Rollback& undo, const Progress& progress) {
  if (const auto there = pool_.has(volume.id); there && *there) return {};
  if (snapshot_id.empty()) TRY_STATUS(need_rest(source, "a clone"));
  TRY(const auto from_folder, pool_.open(source.id));
  TRY(const auto from,
      snapshot_id.empty() ? data_of(source) : copied::open(from_folder, snapshot_id));
  undo.push([this, volume] { (void)pool_.discard(volume.id); });  // reconcile finds what stays
  TRY(const auto building, pool_.begin(volume.id));
  fault_point("volume.clone.begun");
  TRY(const auto data, building.make_folder("_data", 0700));
  TRY_STATUS(copy_data(from, data, progress));
  fault_point("volume.clone.copied");
  return pool_.publish(volume, building);
}

}  // namespace

std::unique_ptr<Backend> make_dir_backend(std::string root) {
  return std::make_unique<DirBackend>(std::move(root));
}

}  // namespace fairlead::volume
