// A backup folder: its lock, and the indexes of its backups.
//
//   fairlead-backup.json     see backup_marker.h
//   lock                     see local_storage.h
//   packs/                   see pack_format.h
//   backups/<id>.index       see index_file.h
//   tmp/                     files being written; a writer empties it first
//
// A backup exists from the moment its index has its name; what the index needs is on the disk
// before. Indexes do not depend on each other: a backup may be deleted without harm to the others.
// Files never change, so a folder may be copied by any tool, also while a backup runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "volume/service/backup_index.h"
#include "volume/service/backup_marker.h"
#include "volume/service/backup_storage.h"
#include "volume/service/chunk_store.h"
#include "volume/service/index_file.h"

namespace fairlead::volume {

class BackupFolder {
 public:
  // Opens an existing folder for reading. `stopped`: as in open_storage().
  static Result<BackupFolder> open(const BackupPlace& place, std::function<bool()> stopped = {});
  // Opens a folder for writing, creating it when it is missing or empty. kConflict for a folder
  // with other things in it, kUnavailable while somebody else writes to it. `verb` is what others
  // are told then.
  static Result<BackupFolder> prepare(const BackupPlace& place, const std::string& verb = "backup",
                                      std::function<bool()> stopped = {});

  struct Listing {
    std::vector<BackupSummary> backups;  // oldest first
    std::vector<std::string> damaged;    // what is wrong with the others, one line each
  };
  Result<Listing> list() const;
  Result<std::vector<std::string>> ids() const;  // also of those that list() cannot read
  // Of a folder that is open for writing, with nothing in it that a power cut may have damaged.
  Result<ChunkStore> chunks() const;
  Result<ChunkStore> chunks(const Listing& listing) const;  // spares to list again
  Result<IndexReader> read_index(const BackupSummary& backup) const;
  Result<IndexWriter> write_index() const;
  // Removes the packs that no backup needs and returns the bytes that were freed. Removes nothing
  // while an index is unreadable.
  Result<std::uint64_t> collect(ChunkStore& chunks) const;
  Status remove(const BackupSummary& backup) const;

  std::string path() const { return storage_->name(); }
  bool is_encrypted() const { return cipher_ != nullptr; }

 private:
  using Use = BackupStorage::Use;
  BackupFolder(std::shared_ptr<BackupStorage> storage, std::unique_ptr<BackupStorage::Lock> lock,
               Use use)
      : storage_(std::move(storage)), lock_(std::move(lock)), use_(use) {}

  std::shared_ptr<BackupStorage> storage_;
  std::unique_ptr<BackupStorage::Lock> lock_;  // released before the storage
  Use use_;
  std::shared_ptr<const BackupCipher> cipher_;  // nullptr: not encrypted
};

}  // namespace fairlead::volume
