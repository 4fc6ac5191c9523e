#include "volume/service/promises.h"

#include <algorithm>

#include "base/host.h"
#include "base/options/values.h"

namespace fairlead::volume {

Promises::Promises(state::Store& store, BackendRegistry& backends, PoolCatalog* catalog,
                   PoolDisks* disks, std::function<double()> overcommit)
    : records_(store, boot_id()),
      backends_(backends),
      catalog_(catalog),
      disks_(disks),
      overcommit_(std::move(overcommit)) {}

Result<Promise> Promises::sum(const DiskRoom& room) {
  Promise sum{.device = room.device};
  const auto add = [&](const Result<std::optional<Promise>>& one) {
    if (!one || !*one || (*one)->device != room.device) return;
    sum.size += (*one)->size;
    sum.taken += std::min((*one)->taken, (*one)->size);
  };
  TRY(const auto listing, records_.all());
  for (const Stored& stored : listing.volumes) {
    if (!stored.volume.options.size || stored.volume.phase != Phase::kReady) continue;
    // A pool that is not mounted is another disk.
    if (const auto backend = backends_.find(stored.volume); backend)
      add((*backend)->promise(stored.volume));
  }
  if (catalog_ == nullptr || disks_ == nullptr) return sum;
  const auto pools = catalog_->finished();
  for (const VolumePool& pool : pools.value_or(std::vector<VolumePool>{}))
    add(disks_->promise(pool));
  return sum;
}

Result<std::vector<std::string>> Promises::admit(const DiskRoom& room, std::uint64_t more) {
  TRY(const auto sum, sum(room));
  const double ratio = overcommit_ ? overcommit_() : 1.0;
  const auto promised = static_cast<double>(sum.size) + static_cast<double>(more);
  const std::uint64_t have = room.free + sum.taken;
  const double most = (ratio == 0 ? 1.0 : ratio) * static_cast<double>(have);
  if (promised <= most) return std::vector<std::string>();
  const std::string text =
      fmt::format("{} promised to volumes and pools on the disk below {}, which has {} for them",
                  rough_size(sum.size + more), room.path, rough_size(have));
  if (ratio > 0)
    return std::vector<std::string>{
        text + ": when it is full, what is written fails; make room there, or ask for less"};
  return fail(Code::kExhausted,
              "it would be {}; ask for less, make room there, or allow it (\"overcommit\" in "
              "fairlead.json)",
              text);
}

}  // namespace fairlead::volume
