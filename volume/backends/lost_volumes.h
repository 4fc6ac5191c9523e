// Volumes whose data lies in a tree without a record: the database was lost, or is an older copy.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "volume/backends/volume_tree.h"

namespace fairlead::volume {

// As Backend::find_lost(). What is written beside the data is believed where it can be read; of
// snapshots only those that are there. Without it the data itself says which backend it was. Data in
// the trash counts while its time is not over; changes nothing.
Result<std::vector<FoundVolume>> find_lost_volumes(
    const VolumeTree& tree, const std::function<Result<bool>(const std::string& id)>& is_known);

// Whether the volume folder holds the data of one of these volumes, or the file of one of these pools,
// by their ids.
bool holds_data(const std::string& folder, const std::vector<std::string>& volumes,
                const std::vector<std::string>& pools);

}  // namespace fairlead::volume
