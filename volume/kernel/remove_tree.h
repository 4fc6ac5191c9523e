// Removing a whole folder that strangers may have filled, and may still be changing.
#pragma once

#include <functional>
#include <string>

#include "volume/kernel/folder.h"

namespace fairlead::volume {

enum class Removal {
  kGone,     // nothing is there (any more)
  kStopped,  // `stop` said so; the next call goes on where this one ended
};

// Removes `name` in `parent` and everything in it. By descriptors only: a symbolic link is removed,
// never followed, and a mount point below is never entered (kInUse, and what is mounted there is
// not touched). Any depth with at most 70 descriptors and constant stack; immutable and append-only
// marks (chattr +i, +a) are taken off,
// btrfs subvolumes and read-only snapshots removed as wholes. Goes on after an entry that cannot be
// removed and returns the first such error. `stop` is asked between entries.
Result<Removal> remove_tree(const Folder& parent, const std::string& name,
                            const std::function<bool()>& stop);
Status remove_tree(const Folder& parent, const std::string& name);

}  // namespace fairlead::volume
