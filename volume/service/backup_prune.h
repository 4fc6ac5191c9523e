// Removes backups from a folder, and what no other backup needs.
//
// In this order, so that killed anywhere every backup that is listed is whole, and the next call
// frees the rest:
//   the indexes of all backups that stay are read; packs of those that are damaged are left alone
//   the indexes of those that go are removed
//   indexes that list packs in which nothing is theirs are written anew
//   packs that nobody needs are removed
//   of packs that are mostly dead, what is needed is stored again in new packs; when those are
//   on the disk, the indexes are written anew, and then the old packs are removed
#pragma once

#include "volume/service/backup_folder.h"

namespace fairlead::volume {

// Which backups go, of those that can be read.
struct BackupRemoval {
  std::vector<BackupSummary> backups;
  std::vector<std::string> unreadable;  // ids of indexes that cannot be read
};

// By ids or beginnings of ids. kNotFound names those that there are.
Result<BackupRemoval> find_backups(const BackupFolder& folder, const BackupFolder::Listing& listing,
                                   const std::vector<std::string>& ids);

// Those that are not kept, for the backups of each volume (by name) on their own. The newest backup
// of a volume is never among them; nor are those from the future, which do not count either.
BackupRemoval plan_removal(const std::vector<BackupSummary>& backups, const Retention& keep,
                           long long now);

// `folder` is open for writing, unless it is a dry run. See VolumeArchives::remove_backups.
Result<PruneReport> run_prune(const BackupFolder& folder, const BackupFolder::Listing& listing,
                              const BackupRemoval& removal, const PruneOptions& options,
                              const Progress& progress);

}  // namespace fairlead::volume
