// Keeps the option `backup` of volumes: when a backup is due, and what is noted of each.
#pragma once

#include "base/lock.h"
#include "volume/api/service.h"
#include "volume/service/records.h"

namespace fairlead::volume {

// Pure. Due by the schedule, and, after failures, not before a while has passed: 5 minutes, twice
// as long after each failure more, at most 6 hours. What was missed while the host was off is made
// up once.
bool is_backup_due(const Volume& volume, long long now);

// What is noted after an attempt that began at `started` and ended with `error` (empty: done).
BackupState state_after(const BackupState& before, const std::string& error, long long started);

// For people: what is wrong with the backups of this volume; empty: nothing, or it has none.
std::string backup_trouble(const Volume& volume);

// kInvalid when the option names a folder that is not, and is not beneath, one of those that an
// administrator has listed as "backup_roots" in fairlead.json. "/" allows all.
Status check_backup_folder(const VolumeOptions& options, const std::vector<std::string>& roots);

// Makes the backups that are due. Borrows everything; one thread at a time.
class BackupPlans {
 public:
  BackupPlans(VolumeArchives& archives, Records& records, NamedLocks& locks,
              std::function<long long()> now)
      : archives_(archives), records_(records), locks_(locks), now_(std::move(now)) {}

  Result<ReconcileReport> keep(const Progress& progress);

 private:
  void back_up(const Volume& volume, const Progress& progress, ReconcileReport& report);
  Status note(const Volume& volume, const std::string& error, long long started);

  VolumeArchives& archives_;
  Records& records_;
  NamedLocks& locks_;
  std::function<long long()> now_;
};

}  // namespace fairlead::volume
