#include "volume/service/chunk_table.h"

#include <cstring>
#include <random>

namespace fairlead::volume {

namespace {

constexpr std::size_t kFirstSlots = 1024;

std::uint64_t random_factor() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;
}

}  // namespace

ChunkTable::ChunkTable() : slots_(kFirstSlots), factor_(random_factor()) {}

// The slot of the digest, or the free one where it belongs.
std::size_t ChunkTable::slot_of(const Digest& digest) const {
  std::uint64_t first = 0;
  std::memcpy(&first, digest.data(), sizeof first);
  const std::size_t mask = slots_.size() - 1;
  // The high bits of the product depend on all bits of the digest's first 64.
  std::size_t slot = static_cast<std::size_t>((first * factor_) >> 32) & mask;
  while (slots_[slot] != 0 && rows_[slots_[slot] - 1].digest != digest) slot = (slot + 1) & mask;
  return slot;
}

const ChunkLocation* ChunkTable::find(const Digest& digest) const {
  const std::uint32_t row = slots_[slot_of(digest)];
  return row == 0 ? nullptr : &rows_[row - 1].place;
}

bool ChunkTable::add(const Digest& digest, const ChunkLocation& place) {
  if (slots_[slot_of(digest)] != 0) return false;
  if ((rows_.size() + 1) * 4 > slots_.size() * 3) grow();
  rows_.push_back({digest, place});
  slots_[slot_of(digest)] = static_cast<std::uint32_t>(rows_.size());
  return true;
}

void ChunkTable::move(const Digest& digest, const ChunkLocation& place) {
  if (const std::uint32_t row = slots_[slot_of(digest)]; row != 0) rows_[row - 1].place = place;
}

void ChunkTable::grow() {
  slots_.assign(slots_.size() * 2, 0);
  for (std::size_t k = 0; k < rows_.size(); ++k)
    slots_[slot_of(rows_[k].digest)] = static_cast<std::uint32_t>(k + 1);
}

}  // namespace fairlead::volume
