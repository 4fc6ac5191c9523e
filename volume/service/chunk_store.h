// The content of backups: chunks named by their digests, each stored once, many in a pack
// (pack_format.h).
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "volume/service/chunk_table.h"
#include "volume/service/pack_writer.h"

namespace fairlead::volume {

// Of one thread, except for read(). The caller holds the lock of the backup folder.
class ChunkStore {
 public:
  struct Parts {
    std::shared_ptr<BackupStorage> storage;
    std::shared_ptr<const BackupCipher> cipher;  // nullptr: not encrypted
  };
  // Reads the lists of all packs. Packs with a damaged list are left out and reported in `damaged`.
  static Result<ChunkStore> open(Parts parts);
  // The same for a writer: a pack that is not in `trusted` was left by an interrupted writer and
  // may have lost bytes in a power cut, so it is read whole and left out when it is not what its
  // name says.
  static Result<ChunkStore> open(Parts parts, const std::set<Digest>& trusted);
  ChunkStore(ChunkStore&&) noexcept;
  ChunkStore& operator=(ChunkStore&&) noexcept;
  ~ChunkStore();

  // The name of these bytes in this store.
  Digest digest(std::string_view bytes) const;
  bool has(const Digest& digest) const {
    const ChunkLocation* const place = table_.find(digest);
    return place != nullptr && place->pack != kForgotten;
  }
  // Stores the chunk unless the store has it. It is on its way then (pack_writer.h): failures come
  // with a later call, and it can be read after the next flush().
  Status put(const Digest& digest, std::string_view bytes);
  // Completes the packs of everything that was put, on the disk.
  Status flush();

  // kNotFound when no pack holds the chunk, kInvalid when it is damaged.
  Result<std::string> get(const Digest& digest) const;
  // Several chunks of one pack by one question to the storage: a text for each. Thread-safe while
  // nothing is put. Fails when the pack cannot be read; a damaged chunk fails alone.
  struct Wanted {
    Digest digest{};
    ChunkLocation place;
  };
  std::vector<Result<std::string>> read(const std::vector<Wanted>& chunks) const;
  // std::nullopt when no published pack holds the chunk.
  std::optional<ChunkLocation> place_of(const Digest& digest) const;

  // The pack that holds the chunk, which must be in the store and flushed.
  const Digest& pack_of(const Digest& digest) const;
  const std::vector<Digest>& packs() const { return packs_; }
  // The packs that hold the chunks of mark(), and all that this object has written. After flush().
  std::vector<Digest> needed_packs() const;
  bool mark(const Digest& digest);  // false: the store does not have the chunk
  // The chunks of this pack that cannot be read any more; empty when the pack is as it was written.
  // Thread-safe while nothing is put.
  Result<std::vector<Digest>> check_pack(const Digest& pack) const;
  // Those that get() reads from this pack. Reads nothing; in no order.
  std::vector<PackedChunk> chunks_in(const Digest& pack) const;
  std::uint64_t pack_size(const Digest& pack) const;  // bytes
  // From now on has() is false, and put() stores the chunk again.
  void forget(const Digest& digest);
  // Returns the bytes that were freed.
  Result<std::uint64_t> remove_pack(const Digest& pack);

  // How many threads are best to read() chunks, a MiB or less each, and to check_pack(), which has
  // several MiB under way.
  unsigned readers() const { return reading_threads(*parts_.storage, 32); }
  unsigned checkers() const { return reading_threads(*parts_.storage, 8); }

  const std::vector<std::string>& damaged() const { return damaged_; }
  std::uint64_t stored() const { return stored_; }  // bytes of the packs written by this object

 private:
  static constexpr std::uint32_t kOpenPack = UINT32_MAX;       // not published yet
  static constexpr std::uint32_t kForgotten = UINT32_MAX - 1;  // as if it were in no pack
  struct Shared;                                               // the open packs
  explicit ChunkStore(Parts parts);
  static Result<ChunkStore> load(Parts parts, const std::set<Digest>* trusted);
  void add_pack(std::uint32_t number, const std::vector<PackedChunk>& chunks);
  void take_finished();
  Result<std::shared_ptr<BackupReader>> reader(std::uint32_t pack) const;
  Result<std::string> unpack(std::string_view stored, const Wanted& chunk) const;
  Result<std::vector<Digest>> find_damage(BackupReader& pack, const Digest& name) const;

  Parts parts_;
  std::vector<Digest> packs_;
  std::vector<std::uint64_t> sizes_;  // of the packs
  std::vector<bool> marked_;          // of the packs
  ChunkTable table_;
  std::vector<std::string> damaged_;
  std::uint64_t stored_ = 0;
  std::size_t first_own_ = 0;  // the packs from here on were written by this object
  std::unique_ptr<Shared> shared_;
  std::unique_ptr<PackWriter> writer_;  // from the first put() on
};

}  // namespace fairlead::volume
