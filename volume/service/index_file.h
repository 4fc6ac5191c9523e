// The file that makes a backup: backups/<id>.index.
//
// Format 2: blocks, each with the length of its content and of what is stored (32 bits each,
// little-endian), and a zstd frame; two zeros; a zstd frame of the summary; a skippable frame
// (RFC 8878, 3.1.2) of 8 bytes: what is stored of the summary. The content of the blocks, put
// together, is the records of backup_index.h. In an encrypted folder each block is sealed about
// "index", and the summary about "summary".
//
// Format 1, which is read: a zstd frame of the lines, and the same end.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "volume/kernel/zstd.h"
#include "volume/service/backup_cipher.h"
#include "volume/service/backup_index.h"
#include "volume/service/backup_storage.h"

namespace fairlead::volume {

// Writes the index of one backup; compresses on a thread of its own.
class IndexWriter {
 public:
  static Result<IndexWriter> open(std::shared_ptr<BackupStorage> storage,
                                  std::shared_ptr<const BackupCipher> cipher);
  IndexWriter(IndexWriter&&) noexcept;
  ~IndexWriter();

  // False when a record cannot hold the entry (backup_index.h). A failure to write may be returned
  // by a later call.
  Result<bool> add(const BackupEntry& entry);
  // Completes the index and gives it its name; from then on the backup exists, and survives a power
  // cut.
  Status publish(BackupSummary summary);
  // Bytes of the file, without what is still to come: after the last add(), drain() first.
  Status drain();
  std::uint64_t size() const;

 private:
  struct File;
  explicit IndexWriter(std::unique_ptr<File> file);
  Status send();

  std::unique_ptr<File> file_;
  std::string plain_, before_;   // records that are not sent yet; the path of the last entry
  std::future<Status> writing_;  // of the block before; destroyed before the file
};

// Reads an index from its beginning to its end, a block ahead. Damage is detected at the end, where
// the digest of everything is compared.
class IndexReader {
 public:
  static Result<IndexReader> open(std::shared_ptr<BackupStorage> storage,
                                  std::shared_ptr<const BackupCipher> cipher,
                                  const BackupSummary& summary);
  IndexReader(IndexReader&&) noexcept;
  ~IndexReader();

  Result<std::optional<BackupEntry>> next();
  // Writes the next entry into `entry`, which must be what the call before has left there (an empty
  // one at first); false at the end. Spares memory to be allocated for each.
  Result<bool> next(BackupEntry& entry);

 private:
  struct File;
  struct Piece {
    std::string plain;
    bool ended = false;
  };
  IndexReader(std::unique_ptr<File> file, const BackupSummary& summary);
  Status refill();
  Result<std::optional<std::string_view>> record();
  Result<std::optional<std::string>> line();
  Result<bool> next_of_records(BackupEntry& entry);
  Result<bool> next_of_lines(BackupEntry& entry);
  Status check_end();

  std::unique_ptr<File> file_;
  std::int64_t format_;
  Digest expected_;
  std::string plain_;
  BackupEntry entry_;   // for next() without an entry
  std::size_t at_ = 0;  // position in plain_
  bool ended_ = false;
  std::future<Result<Piece>> ahead_;  // destroyed before the file
};

// The summary of a backup; reads no more than the end of the file.
Result<BackupSummary> read_summary(BackupStorage& storage, const BackupCipher* cipher,
                                   const std::string& id);
std::string index_name(const std::string& id);                       // "backups/<id>.index"
std::optional<std::string> parse_index_name(std::string_view name);  // "<id>.index": the id

}  // namespace fairlead::volume
