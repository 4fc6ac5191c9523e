// What backends share whose volumes are folders of a VolumeTree: the life and the trash of such a
// folder, and who has its data mounted.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "volume/api/backend.h"
#include "volume/backends/volume_tree.h"
#include "volume/kernel/mount_scan.h"

namespace fairlead::volume {

class FolderBackend : public Backend {
 public:
  explicit FolderBackend(std::string root) : pool_(std::move(root)) {}

  Status discard(const Volume& volume) override;
  Status remove(const Volume& volume) override;
  Result<TrashState> purge(const Volume& volume, const StopRequest& stop) override;
  Status restore(const Volume& volume) override;
  // Takes the view away (mount_view.h).
  Status unmount(const Volume& volume) override;
  Result<std::string> users(const Volume& volume) override;
  ReconcileReport sweep(long long now,
                        const std::function<Result<bool>(const std::string& id)>& is_known,
                        const StopRequest& stop) override;

 protected:
  // A new folder for the volume, under construction; what stays of it is found by reconcile.
  Result<Folder> begin(const Volume& volume, Rollback& undo);
  // The volume exists: a folder that is not there was lost, and is no kNotFound.
  Result<Folder> open_existing(const Volume& volume) const;
  // Who has the data in this folder mounted, for people; empty: nobody.
  virtual Result<std::string> users_in(const MountScan& scan, const Folder& folder) const = 0;
  // From a scan that may be some moments old: for status.
  Status tell_users(const Volume& volume, VolumeStatus& status);

  VolumeTree pool_;

 private:
  RecentMountScan recent_;
};

}  // namespace fairlead::volume
