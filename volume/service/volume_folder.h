// Which volume folder belongs to a store.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/state/store.h"

namespace fairlead::volume {

// key -> {"folder"}
inline constexpr std::string_view kVolumeFolder = "volume-folder";

// What a store has in its volume folder, by ids.
struct FolderOf {
  std::vector<std::string> volumes, pools;
};
using HoldsData = std::function<bool(const std::string& folder, const FolderOf& of)>;

// kConflict when the data of the store's volumes is in another folder than the one that this program
// was told: it would take all of them for lost, and drop records while their data stays. The first
// program writes its folder down. One that was moved is followed: its data is in the new place and no
// longer in the old one; and so is any other while the store has no volumes and pools. While nothing
// can be written, nothing is. kIo when the store cannot be read.
Status agree_on_volume_folder(state::Store& store, const std::string& told, const HoldsData& holds);

}  // namespace fairlead::volume
