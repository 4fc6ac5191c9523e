// Removes a whole folder that strangers may have filled and may still be changing.
#pragma once

#include <functional>
#include <string>

#include "volume/kernel/folder.h"

namespace fairlead::volume {

enum class Removal {
  kGone,     // nothing is there (any more)
  kStopped,  // `stop` returned true; the next call continues where this one ended
};

// Removes `name` in `parent` and everything in it. Works by descriptors only: a symbolic link is
// removed and never followed, and a mount point below is never entered (kInUse; what is mounted
// there is not touched). Handles any depth with at most 70 descriptors and constant stack.
// Immutable and append-only marks (chattr +i, +a) are cleared, and btrfs subvolumes and read-only
// snapshots are removed whole. Continues after an entry that cannot be removed and returns the
// first such error. `stop` is called between entries.
Result<Removal> remove_tree(const Folder& parent, const std::string& name,
                            const std::function<bool()>& stop);
Status remove_tree(const Folder& parent, const std::string& name);

}  // namespace fairlead::volume
