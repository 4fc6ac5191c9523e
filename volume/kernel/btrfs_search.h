// Reads the trees of btrfs item by item (BTRFS_IOC_TREE_SEARCH; btrfs-dev docs, "On-disk format").
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"

namespace fairlead::volume::btrfs {

struct ItemsOf {
  std::uint64_t tree = 0, object = 0;
  std::uint32_t type = 0;
};
using ItemVisitor = std::function<void(std::uint64_t offset, std::string_view bytes)>;

// Calls `visit` for each item of this object and type, in the order of their offsets. Succeeds
// without items when the tree does not exist.
Status each_item(int fd, const ItemsOf& items, const ItemVisitor& visit);

}  // namespace fairlead::volume::btrfs
