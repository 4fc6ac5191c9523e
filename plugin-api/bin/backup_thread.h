// Makes scheduled backups in the daemon, on a thread of their own: one may take hours, and neither
// snapshots nor reconcile wait for it.
#pragma once

#include <atomic>

#include "plugin-api/bin/repair.h"
#include "volume/api/service.h"

namespace fairlead {

// Looks once a minute. When destroyed, a backup that is under way stops at its next safe point, and
// the next start goes on with it. Borrows the archives.
class BackupThread {
 public:
  explicit BackupThread(volume::VolumeArchives& archives);
  ~BackupThread() { stopping_ = true; }  // the thread ends with its member
  BackupThread(const BackupThread&) = delete;
  BackupThread& operator=(const BackupThread&) = delete;

 private:
  void keep();

  volume::VolumeArchives& archives_;
  std::atomic<bool> stopping_{false};
  Periodic thread_;  // the last: it uses the others
};

}  // namespace fairlead
