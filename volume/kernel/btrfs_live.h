// What the present content of a btrfs subvolume takes on the disk, by reading its tree.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"

namespace fairlead::volume::btrfs {

// The bytes, as they are stored, that the subvolume refers to and that simple quotas charge to it:
// extents that it wrote itself, each counted once, and the nodes of its tree. What it shares with
// the source that it is a snapshot of is charged to that one. What the quota counts beyond this,
// only its snapshots (and clones) hold. As of the last commit of the file system. std::nullopt when
// the tree has more than `most_items` items.
Result<std::optional<std::uint64_t>> live_bytes(int fd, std::uint64_t subvolume,
                                                std::size_t most_items);

}  // namespace fairlead::volume::btrfs
