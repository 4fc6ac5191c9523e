// Copying and measuring a whole folder that strangers have filled: by descriptors only, no symbolic
// link followed, no mount point entered.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace fairlead::volume {

struct TreeSize {
  std::uint64_t bytes = 0, inodes = 0;  // as on the disk; a hard link counts once
};

// Told the bytes so far, many times a second. False stops the work: kUnavailable.
using KeepGoing = std::function<bool(std::uint64_t bytes)>;

// What is in `folder`, itself included. Entries that vanish meanwhile are left out.
Result<TreeSize> measure_tree(int folder, const KeepGoing& keep_going);

// Makes the empty folder `to` a copy of `from`: content, owners, modes, times, extended attributes
// (ACLs among them), hard links, holes, symbolic links, FIFOs and devices. Blocks are shared where
// the file system can (FICLONE). kInUse when something is mounted inside, kInvalid for paths longer
// than 4,000 bytes. Nothing is flushed. A failure leaves a part of it: remove it. `from` should be
// at rest: a file that changes is copied as it comes.
Status copy_tree(int from, int to, const KeepGoing& keep_going);

}  // namespace fairlead::volume
