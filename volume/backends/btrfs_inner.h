// Volumes of backend btrfs in which somebody created subvolumes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "volume/kernel/btrfs.h"

namespace fairlead::volume {

using InnerSubvolumes = std::vector<btrfs::InnerSubvolume>;

// The subvolumes inside `fs`, at most one more than a snapshot can take along.
Result<InnerSubvolumes> inner_of(const Folder& fs);

// `"x", "docker/a" and 4 more`, with the names by which they are known inside the volume.
std::string names_of(const InnerSubvolumes& inner);

// The error with the names of those that `what` ("a snapshot") would have to take along, if any.
Error with_names(Error error, const Folder& fs, std::string_view what);

// Makes place/name a snapshot of `fs` and of all subvolumes inside (btrfs_tree.h). A failure names
// them, and says that `what` ("a clone") has to take them along.
Status snapshot_whole(const Folder& fs, const Folder& place, const std::string& name,
                      btrfs::Writable writable, std::string_view what);

// kExhausted when `fs` has too many of them for a snapshot. The content that a roll-back replaces
// becomes one.
Status refuse_too_many(const Folder& fs);

}  // namespace fairlead::volume
