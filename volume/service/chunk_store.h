// The content of backups: chunks named by their SHA-256, each stored once, many in a pack.
//
//   packs/<SHA-256 of the file>.pack
//
//   "FLPACK1\n"
//   the chunks one after the other, each a zstd frame, or plain where that is not larger
//   the list: per chunk 32 bytes SHA-256, then offset, stored length and length (32 bits each,
//             little-endian)
//   the number of chunks (32 bits), SHA-256 of the list, "FLPACK1\n"
//
// A pack never changes, so a folder may be copied by any tool, also while a backup runs. Rejected:
// a file for each chunk, because every small file would cost an fsync(2).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/sha256.h"
#include "volume/kernel/zstd.h"

namespace fairlead::volume {

struct DigestHash {
  std::size_t operator()(const Digest& digest) const;
};

// An item of the list at the end of a pack. Parsing is pure and fuzzed; kInvalid when the list is
// damaged.
struct PackedChunk {
  Digest digest{};
  std::uint32_t offset = 0, stored = 0, length = 0;
  bool operator==(const PackedChunk&) const = default;
};
Result<std::vector<PackedChunk>> parse_pack_list(std::string_view pack_end,
                                                 std::uint64_t pack_size);
std::size_t pack_list_size(std::uint32_t chunks);  // bytes of the list and what follows it

// Opens a file of a backup folder for reading. kInvalid when it is no regular file. Never blocks,
// not even on a FIFO in place of the file.
Result<UniqueFd> open_backup_file(const Folder& folder, const std::string& name);

// Not thread-safe. The caller holds the lock of the backup folder.
class ChunkStore {
 public:
  // Reads the lists of all packs. Packs with a damaged list are left out and reported in `damaged`.
  static Result<ChunkStore> open(Folder packs, Folder tmp);

  bool has(const Digest& digest) const { return places_.contains(digest); }
  // Stores the chunk unless the store has it. It is on the disk after the next flush().
  Status put(const Digest& digest, std::string_view bytes);
  // Writes everything put so far into packs under their final names, flushed to the disk.
  Status flush();
  // kNotFound when no pack holds the chunk, kInvalid when it is damaged.
  Result<std::string> get(const Digest& digest);

  // The pack that holds the chunk, which must be in the store and flushed.
  const Digest& pack_of(const Digest& digest) const;
  const std::vector<Digest>& packs() const { return packs_; }
  // The chunks of this pack that cannot be read any more; empty when the pack is as it was written.
  Result<std::vector<Digest>> check_pack(const Digest& pack);
  // Returns the bytes that were freed.
  Result<std::uint64_t> remove_pack(const Digest& pack);

  const std::vector<std::string>& damaged() const { return damaged_; }
  std::uint64_t stored() const { return stored_; }  // bytes of the packs written by this object

 private:
  struct ChunkLocation {
    std::uint32_t pack = 0;  // in packs_; kOpenPack: not flushed yet
    std::uint32_t offset = 0, stored = 0, length = 0;
  };
  ChunkStore(Folder packs, Folder tmp) : folder_(std::move(packs)), tmp_(std::move(tmp)) {}
  Status load(const std::string& name, const Digest& digest);
  Result<UniqueFd> open_pack(std::uint32_t pack);
  Result<std::string> unpack(std::string_view stored, const PackedChunk& chunk);

  Folder folder_, tmp_;
  std::vector<Digest> packs_;
  std::unordered_map<Digest, ChunkLocation, DigestHash> places_;
  std::vector<PackedChunk> open_list_;
  std::string open_bytes_;
  std::map<std::uint32_t, UniqueFd> opened_;
  std::vector<std::string> damaged_;
  std::uint64_t stored_ = 0;
  ZstdWriter writer_;
  ZstdReader reader_;
};

}  // namespace fairlead::volume
