#include "volume/backends/btrfs_space.h"

#include <fmt/format.h>

#include <algorithm>

#include "volume/kernel/btrfs.h"
#include "volume/kernel/btrfs_live.h"
#include "volume/kernel/btrfs_quota.h"
#include "volume/kernel/btrfs_tree.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kFewItems = 50'000;      // of a tree: some 10 ms, for each List
constexpr std::size_t kManyItems = 4'000'000;  // for whoever asks for it

Result<std::optional<std::uint64_t>> measure(const Folder& fs, const Volume& volume,
                                             std::optional<std::uint64_t> used, std::size_t most) {
  if (!used || volume.snapshots.empty()) return std::nullopt;
  TRY(const auto kind, btrfs::quota_kind(fs.fd()));
  if (kind != btrfs::QuotaKind::kSimple) return std::nullopt;
  TRY(const auto id, btrfs::id_of(fs.fd()));
  TRY(auto trees, btrfs::inner_ids(fs.fd(), id));
  if (trees.size() > btrfs::kMostInTree) return std::nullopt;
  trees.push_back(id);
  std::uint64_t live = 0;
  for (const std::uint64_t tree : trees) {
    TRY(const auto bytes, btrfs::live_bytes(fs.fd(), tree, most / trees.size()));
    if (!bytes) return std::nullopt;
    live += *bytes;
  }
  return *used > live ? *used - live : 0;
}

// Whether next to nothing can be written any more.
bool is_full(const VolumeStatus& status) {
  constexpr std::uint64_t kLeast = 4 << 20;  // what the kernel reserves before it writes
  if (!status.size || !status.used) return false;
  const std::uint64_t room = *status.size > *status.used ? *status.size - *status.used : 0;
  return room < std::max(*status.size / 50, std::min(kLeast, *status.size / 10));
}

}  // namespace

Result<std::optional<std::uint64_t>> only_in_snapshots(const Folder& fs, const Volume& volume,
                                                       std::optional<std::uint64_t> used) {
  return measure(fs, volume, used, kManyItems);
}

Result<std::map<std::string, std::uint64_t>> held_by_one_snapshot(
    const Folder& fs, const Volume& volume, std::optional<std::uint64_t> used) {
  std::map<std::string, std::uint64_t> held;
  if (volume.snapshots.size() != 1) return held;
  TRY(const auto kept, measure(fs, volume, used, kFewItems));
  if (kept) held[volume.snapshots.front().id] = *kept;
  return held;
}

Status look_at_snapshots(const Folder& fs, const Volume& volume, VolumeStatus& status) {
  if (!is_full(status)) return {};
  TRY(const auto kept, measure(fs, volume, status.used, kFewItems));
  if (!kept) return {};
  status.only_in_snapshots = kept;
  VolumeStatus without = status;
  without.used = *status.used - *kept;
  if (is_full(without)) return {};
  status.condition = Condition::kFull;
  status.health = fmt::format(
      "full because of snapshots, which alone hold {} MiB of it: remove one (fairlead snapshot ls "
      "{}), or resize it",
      *kept >> 20, volume.name.str());
  return {};
}

}  // namespace fairlead::volume
