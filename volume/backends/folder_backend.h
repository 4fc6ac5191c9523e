// Base of the backends whose volumes are folders of a VolumeTree: creating and removing such a
// folder, its trash, and finding who has its data mounted.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "volume/api/backend.h"
#include "volume/backends/mount_view.h"
#include "volume/backends/volume_tree.h"
#include "volume/kernel/mount_scan.h"

namespace fairlead::volume {

class FolderBackend : public Backend {
 public:
  explicit FolderBackend(std::string root) : pool_(std::move(root)) {}

  Status discard(const Volume& volume) override;
  Status remove(const Volume& volume) override;
  Status remove_unflushed(const Volume& volume) override;
  Result<TrashState> purge(const Volume& volume, const StopRequest& stop) override;
  Status restore(const Volume& volume) override;
  // Unmounts the view (mount_view.h).
  Status unmount(const Volume& volume) override;
  Result<std::string> users(const Volume& volume) override;
  Status write_down(const Volume& volume) override { return pool_.write_down(volume); }
  Result<DiskRoom> room() override { return pool_.room(); }
  Result<std::vector<FoundVolume>> find_lost(
      const std::function<Result<bool>(const std::string& id)>& is_known) override;
  // For backends that keep snapshots as folders, snapshots/<id> (snapshot_views.h).
  Status unmount_snapshot(const Volume& volume, const std::string& snapshot_id) override;
  std::string snapshot_path(const Volume& volume, const std::string& snapshot_id) const override;
  Result<std::vector<std::string>> mounted_snapshots(const Volume& volume) override;
  Result<std::string> snapshot_users(const Volume& volume, const std::string& snapshot_id) override;
  ReconcileReport sweep(long long now,
                        const std::function<Result<bool>(const std::string& id)>& is_known,
                        const StopRequest& stop) override;

 protected:
  Status to_trash(const Volume& volume, Flush flush);
  // Creates a folder for the volume, under construction. What a crash leaves of it is found by
  // reconcile.
  Result<Folder> begin(const Volume& volume, Rollback& undo);
  // Opens the folder of a volume that has a record: a missing folder was lost, which is kIo and not
  // kNotFound.
  Result<Folder> open_existing(const Volume& volume) const;
  // Describes for people who has the data in this folder mounted; empty when nobody has.
  virtual Result<std::string> users_in(const MountScan& scan, const Folder& folder) const = 0;
  // Fills in the users from a scan that may be some moments old. For status().
  Status tell_users(const Volume& volume, VolumeStatus& status);

  // Mounts the folder `data` of a snapshot where snapshot_path() says.
  Result<std::string> mount_snapshot_folder(MountViews& views, const Volume& volume,
                                            const std::string& snapshot_id, int data);

  VolumeTree pool_;

 private:
  RecentMountScan recent_;
};

}  // namespace fairlead::volume
