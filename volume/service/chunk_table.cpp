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

// The high bits of the product depend on all bits of the digest's first 64.
std::size_t ChunkTable::first_slot(const Digest& digest) const {
  std::uint64_t first = 0;
  std::memcpy(&first, digest.data(), sizeof first);
  return static_cast<std::size_t>((first * factor_) >> 32) & (slots_.size() - 1);
}

// The slot of the digest, or the free one where it belongs.
std::size_t ChunkTable::slot_of(const Digest& digest) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = first_slot(digest);
  while (slots_[slot] != 0 && rows_[slots_[slot] - 1].digest != digest) slot = (slot + 1) & mask;
  return slot;
}

const ChunkLocation* ChunkTable::find(const Digest& digest) const {
  const std::uint32_t row = slots_[slot_of(digest)];
  return row == 0 ? nullptr : &rows_[row - 1].place;
}

bool ChunkTable::add(const Digest& digest, const ChunkLocation& place) {
  if ((rows_.size() + 1) * 4 > slots_.size() * 3) grow(slots_.size() * 2);
  std::uint32_t& row = slots_[slot_of(digest)];
  if (row != 0) return false;
  rows_.push_back({digest, place});
  row = static_cast<std::uint32_t>(rows_.size());
  return true;
}

void ChunkTable::reserve(std::size_t more) {
  std::size_t slots = slots_.size();
  while ((rows_.size() + more) * 4 > slots * 3) slots *= 2;
  if (slots != slots_.size()) grow(slots);
}

void ChunkTable::move(const Digest& digest, const ChunkLocation& place) {
  if (const std::uint32_t row = slots_[slot_of(digest)]; row != 0) rows_[row - 1].place = place;
}

// No two rows are the same, so only a free slot is looked for.
void ChunkTable::grow(std::size_t slots) {
  slots_.assign(slots, 0);
  for (std::size_t k = 0; k < rows_.size(); ++k) {
    std::size_t slot = first_slot(rows_[k].digest);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots - 1);
    slots_[slot] = static_cast<std::uint32_t>(k + 1);
  }
}

}  // namespace fairlead::volume
