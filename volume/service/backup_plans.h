// Keeps the option `backup` of volumes: when a backup is due, and what is noted of each.
#pragma once

#include <chrono>
#include <string>

#include "base/lock.h"
#include "volume/api/service.h"
#include "volume/service/records.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume {

// Pure. Due by the schedule, and, after failures, not before a while has passed: 5 minutes, twice
// as long after each failure more, at most 6 hours. What was missed while the host was off is made
// up once.
bool is_backup_due(const Volume& volume, long long now);

// Pure. Whether a backup has been due for so long without an attempt, because something else uses
// the volume or its target, that somebody should know.
bool is_backup_late(const Volume& volume, long long now);

// What is noted after an attempt that began at `started` and ended with `error` (empty: done).
BackupState state_after(const BackupState& before, const std::string& error, long long started);

// For people: what is wrong with the backups of this volume; empty: nothing, or it has none.
std::string backup_trouble(const Volume& volume);

// Where the option has the backups written, with their secret.
BackupPlace place_of(const VolumeOptions& options);

// kInvalid when the option names a target that is none, and is not beneath one, of those that an
// administrator has listed as "backup_roots" in fairlead.json; "/" allows all folders of this host.
// Also for a secret that is not there, or that others may read.
Status check_backup_plan(const VolumeOptions& options, const BackupRoots& roots);

// Makes the backups that are due. Borrows everything; one thread at a time.
class BackupPlans {
 public:
  // How often it is looked again for what is due, while some are being made.
  static constexpr std::chrono::seconds kLook{60};

  BackupPlans(VolumeArchives& archives, Records& records, NamedLocks& locks,
              std::function<long long()> now, std::chrono::milliseconds look = kLook)
      : archives_(archives), records_(records), locks_(locks), now_(std::move(now)), look_(look) {}

  // Returns when all are made that are due. Backups to one server follow each other, those to
  // different ones are made side by side, so that a server that hangs holds up nobody else.
  // `progress` is asked whether to go on, by one thread at a time.
  Result<ReconcileReport> keep(const Progress& progress);

 private:
  using Due = std::map<std::string, std::vector<Volume>>;  // by the server

  Result<Due> due();
  Result<ReconcileReport> back_up(const Volume& due, const Progress& progress);
  Result<bool> note(const Volume& volume, const std::string& error, long long started);

  VolumeArchives& archives_;
  Records& records_;
  NamedLocks& locks_;
  std::function<long long()> now_;
  std::chrono::milliseconds look_;
};

}  // namespace fairlead::volume
