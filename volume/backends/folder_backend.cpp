#include "volume/backends/folder_backend.h"

#include "base/fault.h"
#include "volume/backends/lost_volumes.h"
#include "volume/backends/mount_view.h"

namespace fairlead::volume {

Status FolderBackend::discard(const Volume& volume) {
  TRY_STATUS(unmount(volume));
  return pool_.discard(volume.id);
}

Status FolderBackend::remove(const Volume& volume) {
  TRY_STATUS(unmount(volume));
  return pool_.to_trash(volume);
}

Result<TrashState> FolderBackend::purge(const Volume& volume, const StopRequest& stop) {
  return pool_.purge(volume.id, volume.deleted, stop);
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
