#include "volume/service/backup_keeping.h"

#include <algorithm>

#include "base/text.h"
#include "volume/service/backup_prune.h"
#include "volume/service/backup_repair.h"

namespace fairlead::volume {

namespace {

// A folder that is not there must not be made by a verb that only removes.
Result<BackupFolder> open_folder(const BackupPlace& place, bool to_read, const std::string& verb) {
  TRY(auto reader, BackupFolder::open(place));
  if (to_read) return reader;
  { const BackupFolder gone = std::move(reader); }  // its lock would be in the way
  return BackupFolder::prepare(place, verb);
}

bool has_volume(const BackupFolder::Listing& listing, const std::string& name) {
  return std::ranges::any_of(listing.backups,
                             [&](const BackupSummary& one) { return one.info.volume == name; });
}

}  // namespace

Result<PruneReport> remove_backups_in(const BackupPlace& place, const std::vector<std::string>& ids,
                                      const PruneOptions& options, const Progress& progress) {
  TRY(const auto folder, open_folder(place, options.dry_run, "prune"));
  TRY(const auto listing, folder.list());
  TRY(const auto removal, find_backups(folder, listing, ids));
  return run_prune(folder, listing, removal, options, progress);
}

Result<PruneReport> prune_in(const BackupPlace& place, const PruneScope& scope,
                             const PruneOptions& options, const Progress& progress) {
  TRY(const auto folder, open_folder(place, options.dry_run, "prune"));
  TRY(const auto listing, folder.list());
  if (!scope.volume.empty() && !has_volume(listing, scope.volume))
    return fail(Code::kNotFound, "there is no backup of volume \"{}\" in {}", shown(scope.volume),
                folder.path());
  BackupRemoval removal;
  if (scope.keep) {
    std::vector<BackupSummary> looked_at = listing.backups;
    if (!scope.volume.empty())
      std::erase_if(looked_at,
                    [&](const BackupSummary& one) { return one.info.volume != scope.volume; });
    removal = plan_removal(looked_at, *scope.keep, scope.now);
  }
  return run_prune(folder, listing, removal, options, progress);
}

Result<PruneReport> keep_after_backup(const BackupFolder& folder, const Volume& volume,
                                      const Retention& keep, long long now,
                                      const Progress& progress) {
  TRY(const auto listing, folder.list());
  std::vector<BackupSummary> of_volume = listing.backups;
  std::erase_if(of_volume, [&](const BackupSummary& one) { return one.volume_id != volume.id; });
  const BackupRemoval removal = plan_removal(of_volume, keep, now);
  if (removal.backups.empty()) return PruneReport{};
  return run_prune(folder, listing, removal, {}, progress);
}

Result<RepairReport> repair_in(ArchiveParts parts, const BackupPlace& place,
                               const Progress& progress) {
  TRY(const auto folder, open_folder(place, false, "repair"));
  std::optional<VolumeSource> source;
  std::string opened;
  const auto open_volume = [&](const BackupSummary& backup) -> Result<int> {
    if (source && opened == backup.volume_id) return source->data();
    source.reset();
    TRY(const auto stored, parts.records.by_id(backup.volume_id));
    if (!stored || stored->volume.phase != Phase::kReady)
      return fail(Code::kNotFound, "volume \"{}\" is not there", shown(backup.info.volume));
    TRY(auto now, VolumeSource::open(parts, stored->volume.name.str()));
    source.emplace(std::move(now));
    opened = backup.volume_id;
    return source->data();
  };
  return run_repair(folder, open_volume, progress);
}

}  // namespace fairlead::volume
