#include "volume/kernel/extents.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <vector>

namespace fairlead::volume {

void DiskRanges::add(std::uint64_t from, std::uint64_t length) {
  if (length == 0) return;
  std::uint64_t end = from + length;
  auto next = ends_.upper_bound(from);
  if (next != ends_.begin() && std::prev(next)->second >= from) {
    --next;
    from = next->first;
  }
  while (next != ends_.end() && next->first <= end) {
    end = std::max(end, next->second);
    next = ends_.erase(next);
  }
  ends_.emplace(from, end);
}

std::uint64_t DiskRanges::bytes_beyond(const DiskRanges& other) const {
  std::uint64_t total = 0;
  for (const auto& [from, end] : ends_) {
    total += end - from;
    auto there = other.ends_.upper_bound(from);
    if (there != other.ends_.begin()) --there;
    for (; there != other.ends_.end() && there->first < end; ++there) {
      const std::uint64_t begin = std::max(from, there->first), stop = std::min(end, there->second);
      if (stop > begin) total -= stop - begin;
    }
  }
  return total;
}

Result<bool> add_extents(int file, std::size_t most, DiskRanges& ranges) {
  constexpr std::uint32_t kAtOnce = 512;
  constexpr std::uint32_t kNowhere =
      FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_DATA_INLINE;
  std::vector<std::uint64_t> memory((sizeof(fiemap) + kAtOnce * sizeof(fiemap_extent)) / 8 + 1);
  auto* const map = reinterpret_cast<fiemap*>(memory.data());
  std::uint64_t from = 0;
  for (std::size_t seen = 0; seen <= most;) {
    std::ranges::fill(memory, 0);
    map->fm_start = from;
    map->fm_length = FIEMAP_MAX_OFFSET - from;
    map->fm_extent_count = kAtOnce;
    if (::ioctl(file, FS_IOC_FIEMAP, map) != 0) {
      if (errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL) return false;
      return fail_errno(errno, "ask where a file lies");
    }
    if (map->fm_mapped_extents == 0) return true;
    for (std::uint32_t k = 0; k < map->fm_mapped_extents; ++k) {
      const fiemap_extent& one = map->fm_extents[k];
      if ((one.fe_flags & kNowhere) == 0) ranges.add(one.fe_physical, one.fe_length);
      if ((one.fe_flags & FIEMAP_EXTENT_LAST) != 0) return true;
      from = one.fe_logical + one.fe_length;
    }
    seen += map->fm_mapped_extents;
  }
  return false;
}

}  // namespace fairlead::volume
