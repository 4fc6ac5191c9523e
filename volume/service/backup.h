// Backs up a tree on the disk into a backup folder, and restores it.
#pragma once

#include "volume/api/types.h"
#include "volume/kernel/tree_reader.h"
#include "volume/kernel/tree_writer.h"
#include "volume/service/backup_folder.h"

namespace fairlead::volume {

// What the summary of a backup holds, except for what the run itself counts.
struct BackupRequest {
  const Volume& volume;
  int data = -1;  // the `_data` folder, borrowed
  // a time before the snapshot was taken, or before the first file was read
  FileTime started;
  long long created = 0;    // Unix seconds
  std::uint64_t total = 0;  // bytes, for the progress; 0: not known
  Hollow hollow = Hollow::kNote;
  std::string group = {};  // Snapshot::group
  Excludes excludes = {};
};

struct BackupResult {
  BackupInfo info;
  std::vector<std::string> notes;  // what was cleaned up, and what is damaged
};

// Files whose inode, size and times are as in the newest backup of this volume are not read. Of
// other files, chunks that the folder has already are not stored again. When the backup is stopped,
// what was stored so far stays for the next one.
Result<BackupResult> run_backup(const BackupFolder& folder, const BackupRequest& request,
                                const Progress& progress);

// Writes everything in the backup. kInvalid with the name of the file when a chunk is missing or
// damaged.
Status run_restore(const BackupFolder& folder, const BackupSummary& backup, TreeWriter& writer,
                   const Progress& progress);

// Reads every chunk of these backups.
Result<CheckReport> run_verify(const BackupFolder& folder,
                               const std::vector<BackupSummary>& backups, const Progress& progress);

}  // namespace fairlead::volume
