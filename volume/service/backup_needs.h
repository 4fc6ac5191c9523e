// What the backups of a folder need of its packs, by their entries; and how an index gets another
// list of packs.
#pragma once

#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "volume/service/backup_folder.h"

namespace fairlead::volume {

struct DigestHash {
  std::size_t operator()(const Digest& digest) const {
    std::size_t first = 0;  // as well distributed as any hash of it
    std::memcpy(&first, digest.data(), sizeof first);
    return first;
  }
};

// What one backup needs.
struct BackupNeeds {
  BackupSummary backup;
  std::set<Digest> packs;     // in which the store finds its chunks
  bool lacks_chunks = false;  // some are in no pack
  bool is_damaged = false;    // its index cannot be read to its end
};

struct FolderNeeds {
  std::vector<BackupNeeds> backups;  // in the order in which they were given
  std::unordered_set<Digest, DigestHash> chunks;
};

// Called for each entry with content; a failure ends the reading.
using EachEntry = std::function<Status(const BackupEntry& entry)>;
// kInvalid with the id of the backup when its index is damaged.
Status each_entry_of(const BackupFolder& folder, const BackupSummary& backup,
                     const EachEntry& visit);

// Reads all of these indexes.
Result<FolderNeeds> read_needs(const BackupFolder& folder, const ChunkStore& store,
                               const std::vector<BackupSummary>& backups, const Progress& progress);

// Writes the index anew, with the packs in which the store finds its chunks now, and renames it
// over the old one. The store has been flushed. `also`: packs that stay in
// the list if some chunk is in no pack.
Status rewrite_index(const BackupFolder& folder, const ChunkStore& store, BackupSummary backup,
                     const std::set<Digest>& also = {});

// The ids of indexes that list() could not read.
Result<std::vector<std::string>> unreadable_ids(const BackupFolder& folder,
                                                const BackupFolder::Listing& listing);

}  // namespace fairlead::volume
