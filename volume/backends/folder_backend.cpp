#include "volume/backends/folder_backend.h"

#include "base/fault.h"
#include "volume/backends/lost_volumes.h"
#include "volume/backends/mount_view.h"
#include "volume/backends/snapshot_views.h"
#include "volume/backends/users.h"

namespace fairlead::volume {

namespace {

Status unmount_views(const VolumeTree& pool, const Volume& volume) {
  const auto folder = pool.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return {};
  if (!folder) return fail(folder.error());
  return snapshot_views::remove_all(*folder, Unmount::kLazy);
}

}  // namespace

Status FolderBackend::discard(const Volume& volume) {
  TRY_STATUS(unmount(volume));
  TRY_STATUS(unmount_views(pool_, volume));
  return pool_.discard(volume.id);
}

Status FolderBackend::to_trash(const Volume& volume, Flush flush) {
  TRY_STATUS(unmount(volume));
  TRY_STATUS(unmount_views(pool_, volume));
  return pool_.to_trash(volume, flush);
}

Status FolderBackend::remove(const Volume& volume) { return to_trash(volume, Flush::kNow); }
Status FolderBackend::remove_unflushed(const Volume& volume) {
  return to_trash(volume, Flush::kLater);
}

Result<TrashState> FolderBackend::purge(const Volume& volume, const StopRequest& stop) {
  return pool_.purge(volume, stop);
}

Status FolderBackend::restore(const Volume& volume) {
  return pool_.from_trash(volume.id, volume.deleted);
}

Status FolderBackend::unmount(const Volume& volume) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return {};
  if (!folder) return fail(folder.error());
  return MountViews::unmount(*folder, Unmount::kLazy);
}

Result<std::string> FolderBackend::users(const Volume& volume) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return std::string();
  if (!folder) return fail(folder.error());
  TRY(const auto scan, MountScan::take());
  return users_in(scan, *folder);
}

Result<std::vector<FoundVolume>> FolderBackend::find_lost(
    const std::function<Result<bool>(const std::string& id)>& is_known) {
  return find_lost_volumes(pool_, is_known);
}

// --- mounted snapshots

Result<std::string> FolderBackend::mount_snapshot_folder(MountViews& views, const Volume& volume,
                                                         const std::string& snapshot_id, int data) {
  TRY(const auto folder, pool_.open(volume.id));
  TRY(const auto place, snapshot_views::prepare(folder, snapshot_id));
  TRY(const auto own, place.ensure_folder(snapshot_id, 0700));
  TRY_STATUS(views.mount_read_only(own, "_data", data, volume.options));
  return snapshot_path(volume, snapshot_id);
}

Status FolderBackend::unmount_snapshot(const Volume& volume, const std::string& snapshot_id) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return {};
  if (!folder) return fail(folder.error());
  return snapshot_views::remove(*folder, snapshot_id, Unmount::kLazy);
}

std::string FolderBackend::snapshot_path(const Volume& volume,
                                         const std::string& snapshot_id) const {
  return snapshot_views::path_of(pool_.path_of(volume.id), snapshot_id);
}

Result<std::vector<std::string>> FolderBackend::mounted_snapshots(const Volume& volume) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return std::vector<std::string>();
  if (!folder) return fail(folder.error());
  return snapshot_views::ids(*folder);
}

Result<std::string> FolderBackend::snapshot_users(const Volume& volume,
                                                  const std::string& snapshot_id) {
  const auto folder = pool_.open(volume.id);
  if (!folder && folder.error().code == Code::kNotFound) return std::string();
  if (!folder) return fail(folder.error());
  TRY(const bool some, folder->has("snapshots"));
  if (!some) return std::string();
  TRY(const auto scan, MountScan::take());
  TRY(auto place, scan.place_of(folder->fd()));
  return snapshot_users_text(scan, *folder, snapshots_place(std::move(place), snapshot_id));
}

ReconcileReport FolderBackend::sweep(
    long long now, const std::function<Result<bool>(const std::string& id)>& is_known,
    const StopRequest& stop) {
  return pool_.sweep(now, is_known, stop);
}

Result<Folder> FolderBackend::begin(const Volume& volume, Rollback& undo) {
  undo.push([this, volume] { (void)pool_.discard(volume.id); });
  TRY(auto building, pool_.begin(volume.id));
  fault_point("volume.build.begun");
  return building;
}

Result<Folder> FolderBackend::open_existing(const Volume& volume) const {
  auto folder = pool_.open(volume.id);
  if (folder || folder.error().code != Code::kNotFound) return folder;
  return fail(Code::kIo,
              "its folder {} is missing: it was moved or deleted by hand; remove the volume",
              pool_.path_of(volume.id));
}

Status FolderBackend::tell_users(const Volume& volume, VolumeStatus& status) {
  TRY(const auto folder, open_existing(volume));
  TRY(const auto scan, recent_.get());
  TRY(status.users, users_in(*scan, folder));
  status.in_use = !status.users.empty();
  return {};
}

}  // namespace fairlead::volume
