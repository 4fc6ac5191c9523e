// Where the files of a backup folder are kept: a folder of this host, or a remote target.
//
// Names are "fairlead-backup.json", "packs/<hex>.pack", "backups/<id>.index": at most one folder
// deep, chosen by Fairlead alone. A file appears whole under its name or not at all, and is never
// changed afterwards.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fairlead::volume {

struct BackupFile {
  std::string name;  // without its folder
  std::uint64_t size = 0;
};

// What a reader asks for at once, so that a far target is asked in one round trip.
struct BackupRange {
  std::uint64_t offset = 0;
  std::span<char> into;
};

// An open file for reading. Thread-safe.
class BackupReader {
 public:
  virtual ~BackupReader() = default;
  virtual std::uint64_t size() const = 0;
  // Fills all ranges. kInvalid when the file is shorter.
  virtual Status read(std::span<const BackupRange> ranges) = 0;
};

// A new file, invisible until publish(); discarded when it is destroyed before that. One thread.
class BackupWriter {
 public:
  virtual ~BackupWriter() = default;
  virtual Status append(std::string_view bytes) = 0;
  // Gives the file its name. It survives a power cut after the next BackupStorage::sync(). A power
  // cut before that leaves the file whole or not at all, except for packs: their names tell
  // whether they are whole, so they need not be flushed one by one.
  virtual Status publish(const std::string& name) = 0;
};

// Thread-safe.
class BackupStorage {
 public:
  // Held while the folder is used; released when destroyed, and by the death of the process, at
  // once or (remote) when nobody has renewed it for a while.
  class Lock {
   public:
    virtual ~Lock() = default;
    // kUnavailable once the lock was lost to somebody else: nothing may be written any more.
    virtual Status check() = 0;
  };
  enum class Use { kRead, kWrite };  // many readers, or one writer

  virtual ~BackupStorage() = default;
  virtual std::string name() const = 0;  // for people: "/srv/backup", "sftp:nas:/backup"
  // kUnavailable when somebody else has it, with a text that says who and since when. `verb`:
  // "backup", ...
  virtual Result<std::unique_ptr<Lock>> lock(Use use, const std::string& verb) = 0;
  // The files of "" (the top), "packs" or "backups", unsorted; empty when there is no such folder.
  // A folder is named with a '/' at the end: "packs/".
  virtual Result<std::vector<BackupFile>> list(const std::string& folder) = 0;
  virtual Result<std::unique_ptr<BackupReader>> open(const std::string& name) = 0;  // kNotFound
  // Makes the folders that the target needs, and removes what interrupted writers left unnamed.
  // Called with the lock for writing.
  virtual Status prepare() = 0;
  virtual Result<std::unique_ptr<BackupWriter>> create() = 0;
  virtual Status remove(const std::string& name) = 0;  // succeeds when there is none
  // All that was published or removed so far survives a power cut.
  virtual Status sync() = 0;
  // Whether a pack survives a power cut from its publish() on. Where not, a pack that no index
  // names yet is read before it is trusted.
  virtual bool publishes_durably() const { return false; }
  // Whether an answer takes long, so that many files are best asked for at the same time.
  virtual bool is_far() const { return false; }
};

// For a target as users write it (volume/api/backup_target.h). `stopped` is asked now and then, on
// any thread, while somebody waits for a server; when it says true, calls fail with kUnavailable
// soon.
Result<std::unique_ptr<BackupStorage>> open_storage(const std::string& target,
                                                    std::function<bool()> stopped = {});

// How many threads read from it: as many as there are processors, or `far` from a far one.
unsigned reading_threads(const BackupStorage& storage, unsigned far);

}  // namespace fairlead::volume
