// What btrfs_tree.h is made of: the subvolumes inside another one, by their descriptors, and which
// of them were read-only before the whole tree was.
#pragma once

#include <linux/btrfs.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "volume/kernel/btrfs.h"

namespace fairlead::volume::btrfs {

using Ids = std::vector<std::uint64_t>;

// What was seen a moment ago is different now (ESTALE): begin again.
tl::unexpected<Error> changed();
bool is_changed(const Error& error);

// What the kernel says of a subvolume; changed() when it is gone.
Result<btrfs_ioctl_get_subvol_info_args> info_of(int subvolume);
// kInUse when something is mounted on it; changed() when another one is there.
Result<UniqueFd> open_inner(int top, const InnerSubvolume& inner);
// The folder and the name of a path.
std::pair<std::string, std::string> split(const std::string& path);

// The ids of those inside `top` that were read-only by themselves; std::nullopt when `top` is no
// sealed tree.
Result<std::optional<Ids>> read_sealed(int top);
Status write_sealed(int top, const Ids& ids);
Status drop_sealed(int top);
Status make_read_only(std::span<const int> subvolumes);

}  // namespace fairlead::volume::btrfs
