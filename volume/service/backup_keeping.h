// The verbs of VolumeArchives that keep backup folders in order, without their jobs.
#pragma once

#include "volume/service/backup_folder.h"
#include "volume/service/volume_source.h"

namespace fairlead::volume {

Result<PruneReport> remove_backups_in(const BackupPlace& place, const std::vector<std::string>& ids,
                                      const PruneOptions& options, const Progress& progress);

struct PruneScope {
  std::string volume;             // by its name; empty: each
  std::optional<Retention> keep;  // none: no backup is removed
  long long now = 0;              // Unix seconds
};
Result<PruneReport> prune_in(const BackupPlace& place, const PruneScope& scope,
                             const PruneOptions& options, const Progress& progress);

// After a backup of the volume: only backups of this very volume go, and none of another one that
// had its name before.
Result<PruneReport> keep_after_backup(const BackupFolder& folder, const Volume& volume,
                                      const Retention& keep, long long now,
                                      const Progress& progress);

Result<RepairReport> repair_in(ArchiveParts parts, const BackupPlace& place,
                               const Progress& progress);

}  // namespace fairlead::volume
