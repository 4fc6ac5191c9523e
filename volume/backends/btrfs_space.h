// What the snapshots of a volume of backend btrfs take of its size.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "volume/api/types.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {

// Bytes of the `used` ones that the present content of the volume, whose subvolume is `fs`, does not
// need. Reads the tree of the subvolume. std::nullopt where that is not known: without simple
// quotas, without snapshots, or when the tree is very large.
Result<std::optional<std::uint64_t>> only_in_snapshots(const Folder& fs, const Volume& volume,
                                                       std::optional<std::uint64_t> used);

// The same for a volume with one snapshot, by its id: then all of that is held by this one. Empty
// with more of them, and where it is not known; cheap enough for each of a list.
Result<std::map<std::string, std::uint64_t>> held_by_one_snapshot(
    const Folder& fs, const Volume& volume, std::optional<std::uint64_t> used);

// Says in `status`, whose size and use are filled in, when the volume is full and would not be
// without its snapshots. Cheap enough for each List.
Status look_at_snapshots(const Folder& fs, const Volume& volume, VolumeStatus& status);

}  // namespace fairlead::volume
