// Where each chunk of a store is: 48 bytes for a chunk and some 6 for finding it.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "volume/kernel/sha256.h"

namespace fairlead::volume {

struct ChunkLocation {
  std::uint32_t pack = 0;  // a number that the owner of the table gives
  std::uint32_t offset = 0, stored = 0, length = 0;
};

// Not thread-safe while it changes.
class ChunkTable {
 public:
  ChunkTable();

  const ChunkLocation* find(const Digest& digest) const;
  // Keeps the place that is there already, and returns false then.
  bool add(const Digest& digest, const ChunkLocation& place);
  // Puts the place of a chunk that is there.
  void move(const Digest& digest, const ChunkLocation& place);
  void reserve(std::size_t more);  // makes room at once
  std::size_t size() const { return rows_.size(); }

  // Calls visit(digest, place) for each chunk.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Row& row : rows_) visit(row.digest, row.place);
  }

 private:
  struct Row {
    Digest digest{};
    ChunkLocation place;
  };
  std::size_t first_slot(const Digest& digest) const;
  std::size_t slot_of(const Digest& digest) const;
  void grow(std::size_t slots);

  std::deque<Row> rows_;              // never copied when it grows
  std::vector<std::uint32_t> slots_;  // a power of two; number of the row + 1, or 0: free
  // Random, so that nobody can make chunks that all fall into one place.
  std::uint64_t factor_;
};

}  // namespace fairlead::volume
