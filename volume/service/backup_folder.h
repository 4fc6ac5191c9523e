// A backup folder on the disk: its lock, and the indexes of its backups.
//
//   fairlead-backup.json     {"format":1}
//   lock                     flock(2): many readers, or one writer
//   packs/                   see chunk_store.h
//   backups/<id>.index       zstd frame of the lines, zstd frame of the summary, and a skippable
//                            frame (RFC 8878, 3.1.2) of 8 bytes: the size of the summary's frame
//   tmp/                     files being written; a writer empties it first
//
// A backup exists from the moment its index is renamed. Indexes do not depend on each other: a
// backup may be deleted without harm to the others.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/zstd.h"
#include "volume/service/backup_index.h"
#include "volume/service/chunk_store.h"

namespace fairlead::volume {

// Writes the index of one backup.
class IndexWriter {
 public:
  static Result<IndexWriter> open(const Folder& tmp);
  Status add(const BackupEntry& entry);
  // Completes the index and renames it into place; from then on the backup exists.
  Status publish(BackupSummary summary, const Folder& tmp, const Folder& backups);
  std::uint64_t size() const { return size_; }  // bytes so far

 private:
  IndexWriter(UniqueFd file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}
  Status put(std::string_view bytes);

  UniqueFd file_;
  std::string name_;
  ZstdWriter zstd_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
};

// Reads an index from its beginning to its end. Damage is detected at the end, where the digest of
// all lines is compared.
class IndexReader {
 public:
  static Result<IndexReader> open(const Folder& backups, const BackupSummary& summary);
  Result<std::optional<BackupEntry>> next();

 private:
  IndexReader(UniqueFd file, Digest lines) : file_(std::move(file)), expected_(lines) {}
  Result<std::optional<std::string>> line();
  Status refill();

  UniqueFd file_;
  Digest expected_;
  ZstdReader zstd_;
  Sha256 hash_;
  std::string packed_, plain_;
  std::size_t at_ = 0;  // position in plain_
  std::uint64_t offset_ = 0;
  bool ended_ = false;
};

class BackupFolder {
 public:
  // Opens an existing folder for reading.
  static Result<BackupFolder> open(const std::string& path);
  // Opens a folder for writing, creating it when it is missing or empty. kConflict for a folder
  // with other things in it, kUnavailable while somebody else writes to it.
  static Result<BackupFolder> prepare(const std::string& path);

  struct Listing {
    std::vector<BackupSummary> backups;  // oldest first
    std::vector<std::string> damaged;    // what is wrong with the others, one line each
  };
  Result<Listing> list() const;
  Result<ChunkStore> chunks() const;
  // Removes the packs that no backup needs and returns the bytes that were freed. Removes nothing
  // while an index is unreadable.
  Result<std::uint64_t> collect(ChunkStore& chunks) const;
  Status remove(const BackupSummary& backup) const;

  const Folder& backups() const { return backups_; }
  const Folder& tmp() const { return tmp_; }
  const std::string& path() const { return top_.path(); }

 private:
  BackupFolder(UniqueFd lock, Folder top, Folder packs, Folder backups, Folder tmp)
      : lock_(std::move(lock)),
        top_(std::move(top)),
        packs_(std::move(packs)),
        backups_(std::move(backups)),
        tmp_(std::move(tmp)) {}

  UniqueFd lock_;
  Folder top_, packs_, backups_, tmp_;
};

}  // namespace fairlead::volume
