// Snapshots of a whole tree of btrfs subvolumes: of one and of all that were created inside it.
//
// The kernel snapshots one subvolume at a time, and has a placeholder (btrfs.h, is_hollow) where
// another one was. So each is snapshotted into a folder of its own, several at once, and then the
// copies are moved into their places. They belong to one moment: those that were taken in one
// transaction of the file system do, and so do those that nobody changed between their transaction
// and the last one. Any others are taken again, together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "volume/kernel/btrfs.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume::btrfs {

inline constexpr std::size_t kMostInTree = 1000;  // subvolumes inside that a snapshot takes along

// Creates place/name with the content of the subvolume `source` and of all subvolumes inside it at
// this moment, everything written so far included. It has its name when it is whole, and is on the
// disk when the call returns. A subvolume inside that is read-only by itself is so again in a copy
// made kYes; a copy made kNo remembers which they were, for the copy that is made of it.
//
// kExhausted for more than kMostInTree subvolumes inside; kConflict when they were created,
// removed or written all the time; kUnsupported with full quotas, which would count each copy
// against the limit of its source; kInUse when something is mounted on one. What a killed process
// left in `place` is removed by the next call, or by forget_tree_snapshot().
Status snapshot_tree(const Folder& source, const Folder& place, const std::string& name,
                     Writable writable);
Status forget_tree_snapshot(const Folder& place);

// Makes the subvolume and all inside it read-only, and remembers which of those inside were. Called
// again after a crash it finishes the work.
Status seal_tree(const Folder& top);

// Removes the subvolumes inside, the innermost first, so that destroy() takes the rest at once. What
// cannot be removed so is left.
void destroy_inner(int subvolume);

}  // namespace fairlead::volume::btrfs
