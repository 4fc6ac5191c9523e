// Where the data of files lies on their disk (FIEMAP), to tell what they share.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/result.h"

namespace fairlead::volume {

// Ranges of a disk, by their beginning, in bytes; they do not overlap.
class DiskRanges {
 public:
  void add(std::uint64_t from, std::uint64_t length);
  // Bytes of this that are not in `other`.
  std::uint64_t bytes_beyond(const DiskRanges& other) const;

 private:
  std::map<std::uint64_t, std::uint64_t> ends_;  // beginning -> end
};

// Adds the data of the file. False when it has more than `most` extents, or when the file system
// cannot tell where they are; `ranges` is then of no use.
Result<bool> add_extents(int file, std::size_t most, DiskRanges& ranges);

}  // namespace fairlead::volume
