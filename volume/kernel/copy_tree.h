// Copies and measures a whole folder that strangers have filled: by descriptors only, without
// following symbolic links or entering mount points.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace fairlead::volume {

struct TreeSize {
  std::uint64_t bytes = 0, inodes = 0;  // as on the disk; a hard link counts once
};

// Called many times a second with the bytes so far. Returning false stops the work with
// kUnavailable.
using KeepGoing = std::function<bool(std::uint64_t bytes)>;

// Measures everything in `folder`, the folder itself included. Entries that vanish meanwhile are
// left out.
Result<TreeSize> measure_tree(int folder, const KeepGoing& keep_going);

// Makes the empty folder `to`, in the same file system, a copy of `from`: content, owners, modes,
// times, extended attributes (ACLs among them), flags (file_flags.h), hard links, holes, symbolic
// links, FIFOs, sockets and devices. Nothing is left out: what cannot be kept is a failure. But the
// top folder is not immutable or append-only, so that it can be exchanged. Blocks are shared where
// the file system can (FICLONE). kInUse when something is mounted inside. Any depth, in memory that
// grows with the names of folders. Nothing is flushed. After a failure a part of the copy is
// left, which the caller removes. Nobody should write to `from` meanwhile: a file that changes is
// copied as it is read.
Status copy_tree(int from, int to, const KeepGoing& keep_going);

}  // namespace fairlead::volume
