// Backups: a tree on the disk into a backup folder, and back out of it.
#pragma once

#include "volume/api/types.h"
#include "volume/kernel/tree_reader.h"
#include "volume/kernel/tree_writer.h"
#include "volume/service/backup_folder.h"

namespace fairlead::volume {

// What is to be said in the summary, but for what the run itself counts.
struct BackupRequest {
  const Volume& volume;
  int data = -1;            // the `_data` folder, borrowed
  FileTime started;         // before the snapshot, or before the first file is read
  long long created = 0;    // Unix seconds
  std::uint64_t total = 0;  // bytes, for the progress; 0: not known
  Hollow hollow = Hollow::kNote;
};

struct BackupResult {
  BackupInfo info;
  std::vector<std::string> notes;  // what was left out, and why; what was cleared away
};

// Files that have the inode, size and times that the newest backup of this volume saw are not read;
// of the others each chunk that the folder has already is not stored again. When it is stopped,
// what was stored stays for the next one.
Result<BackupResult> run_backup(const BackupFolder& folder, const BackupRequest& request,
                                const Progress& progress);

// Writes everything of the backup; kInvalid with the name of the file when a chunk is missing or
// damaged.
Status run_restore(const BackupFolder& folder, const BackupSummary& backup, TreeWriter& writer,
                   const Progress& progress);

// Reads every chunk of these backups.
Result<CheckReport> run_verify(const BackupFolder& folder,
                               const std::vector<BackupSummary>& backups, const Progress& progress);

}  // namespace fairlead::volume
