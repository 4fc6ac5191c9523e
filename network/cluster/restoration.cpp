#include "network/cluster/restoration.h"

#include <algorithm>

#include "base/log.h"
#include "network/cluster/block_layout.h"
#include "network/cluster/endpoints.h"
#include "network/cluster/keys.h"

namespace fairlead::network::cluster {

namespace {

constexpr long long kLookSeconds = 60;

std::string both_use(const IpAddress& address, const StaticClaimRecord& other) {
  return fmt::format(
      "address {} is in use here, and endpoint {} on host {} has claimed it since the shared store "
      "was put back; recreate one of the two containers",
      address.to_string(), other.endpoint_id.substr(0, 12), other.host_id.substr(0, 12));
}

// The addresses of the block that are in none of its ranges. There are few, because each was
// excluded singly.
std::vector<IpAddress> left_out(const LocalBlock& block) {
  std::vector<IpAddress> found;
  std::optional<IpAddress> next = block.block.first();
  const auto up_to = [&](const IpAddress& end) {
    for (; next && *next < end; next = next->plus(1)) found.push_back(*next);
  };
  for (const Cidr& range : block.ranges) {
    up_to(range.first());
    next = range.last().plus(1);
  }
  up_to(block.block.last());
  if (next == block.block.last()) found.push_back(*next);
  return found;
}

}  // namespace

// Blocks are checked regularly, because the revision of a store that was put back may have passed
// the old one before any host looks. Single addresses and endpoints are checked when something is
// wrong, and once after a start.
Status Restoration::restore(LeaseBook& book) {
  StoreRollbackDetector& rollback_detector = context_.fence.rollback_detector();
  const auto quarantines = rollback_detector.quarantines();
  const long long now = context_.fence.clock().unix_time();
  const bool is_new = restored_for_ != quarantines;
  if (!is_new && now - looked_ < kLookSeconds) return rollback_detector.settle();
  const bool had_conflicts = rollback_detector.has_conflicts();
  Conflicts conflicts;
  TRY_STATUS(restore_blocks(book, conflicts));
  if (is_new || had_conflicts || rollback_detector.quarantines() != quarantines) {
    TRY_STATUS(restore_singles(conflicts));
    TRY_STATUS(StoreEndpoints(context_.shared, context_.local, context_.fence).restore(conflicts));
  }
  if (rollback_detector.is_quarantined() && restored_for_ != rollback_detector.quarantines())
    audit_.repeat();
  restored_for_ = rollback_detector.quarantines();
  looked_ = now;
  rollback_detector.restored(std::move(conflicts));
  return rollback_detector.settle();
}

// std::nullopt when the network was removed or is being removed.
Result<std::optional<SubnetArea>> Restoration::subnet_area_if_ready(const std::string& network_id,
                                                                    Family family) {
  TRY(const auto network, read<NetworkRecord>(context_.shared, keys::network(network_id)));
  if (!network || network->value.phase != NetworkPhase::kReady) return std::optional<SubnetArea>();
  TRY(auto subnet_area, context_.subnet_area_of(network_id, family));
  return std::optional(std::move(subnet_area));
}

Status Restoration::restore_blocks(LeaseBook& book, Conflicts& conflicts) {
  TRY(const auto epoch, context_.fence.epoch());
  TRY(const auto records, context_.local.list(keys::kLocalBlocks));
  for (const state::Record& record : records) {
    TRY(auto block, decode<LocalBlock>(record));
    if (block.phase != ClaimPhase::kHeld || block.epoch != epoch) continue;
    TRY_STATUS(restore_block(std::string(keys::network_part(record.key)), std::move(block), book,
                             conflicts));
  }
  return {};
}

Status Restoration::restore_block(const std::string& network_id, LocalBlock block, LeaseBook& book,
                                  Conflicts& conflicts) {
  const std::string key = keys::block(network_id, block.block.first());
  TRY(const auto record, context_.shared.get(key));
  if (record && !decode<BlockRecord>(*record)) {
    conflicts.push_back(
        fmt::format("the record {} of this host's block {} cannot be read; delete "
                    "the key, and this host writes it anew",
                    key, block.block.to_string()));
    return {};
  }
  TRY(const auto present, read<BlockRecord>(context_.shared, key));
  const bool ours = present && present->value.host_id == context_.fence.host_id();
  if (ours && present->value.epoch == block.epoch)
    return check_holes(network_id, block.block, present->value.holes, book, conflicts);
  if (present && !ours) return lose_block(network_id, std::move(block), present->value, conflicts);
  if (block.ranges.empty()) return {};  // the block was lost before
  TRY(const auto subnet_area, subnet_area_if_ready(network_id, block.block.family()));
  if (!subnet_area && context_.fence.rollback_detector().is_quarantined())
    conflicts.push_back(fmt::format(
        "network {} is not in the shared store any more, and {} of it is this host's; create the "
        "network again with the same subnet, or remove its containers",
        network_id.substr(0, 12), block.block.to_string()));
  if (!subnet_area) return {};
  TRY_STATUS(context_.fence.check_again());
  if (!context_.fence.rollback_detector().is_quarantined())
    context_.fence.rollback_detector().quarantine(
        fmt::format("{} of this host is not in it", block.block.to_string()));
  return write_block(*subnet_area, std::move(block), present ? present->revision : state::kAbsent,
                     book, conflicts);
}

// Like Blocks::try_claim(). Single addresses that were claimed in the block meanwhile become holes.
Status Restoration::write_block(const SubnetArea& subnet_area, LocalBlock block,
                                std::int64_t revision, LeaseBook& book, Conflicts& conflicts) {
  const IpAddress base = block.block.first();
  const std::string key = keys::block(subnet_area.network_id, base),
                    guard_key = keys::claim_guard(subnet_area.network_id, base);
  // Read before the list of the addresses that it guards.
  TRY(const auto guard, context_.shared.get(guard_key));
  TRY(const auto claimed, blocks_.static_claims_in(subnet_area.network_id, block.block));
  std::vector<IpAddress> holes = left_out(block);
  for (const IpAddress& address : claimed)
    if (std::ranges::find(holes, address) == holes.end()) holes.push_back(address);
  block.ranges = without(block.block, holes);
  const auto reserved = reserved_addresses(subnet_area.subnet);
  std::erase_if(holes, [&](const IpAddress& address) {
    return std::ranges::find(reserved, address) != reserved.end();
  });
  TRY(auto preconditions, context_.fence.of_life());
  // Leases that were planned in the new holes can no longer be committed.
  TRY_STATUS(context_.save(subnet_area.network_id, block));
  preconditions.push_back({keys::network(subnet_area.network_id), subnet_area.revision});
  preconditions.push_back({key, revision});
  preconditions.push_back({guard_key, guard ? guard->revision : state::kAbsent});
  TRY_STATUS(write_anew(
      {.preconditions = std::move(preconditions),
       .puts = {{key, encode(BlockRecord{context_.fence.host_id(), block.epoch, holes})}},
       .durability = state::Durability::kDurable}));
  log::info("cluster.block.restored", {{"network", subnet_area.network_id.substr(0, 12)},
                                       {"block", block.block.to_string()}});
  return check_holes(subnet_area.network_id, block.block, holes, book, conflicts);
}

// Reports the addresses that are leased here, although another host has claimed them singly.
Status Restoration::check_holes(const std::string& network_id, const Cidr& block,
                                const std::vector<IpAddress>& holes, LeaseBook& book,
                                Conflicts& conflicts) {
  if (holes.empty()) return {};
  TRY(const auto used, book.leased(network_id, block));
  for (const IpAddress& address : used) {
    if (std::ranges::find(holes, address) == holes.end()) continue;
    TRY(const auto static_claim,
        read<StaticClaimRecord>(context_.shared, keys::address(network_id, address)));
    if (static_claim && static_claim->value.host_id != context_.fence.host_id())
      conflicts.push_back(both_use(address, static_claim->value));
  }
  return {};
}

// Commits a transaction with one put, and reads the record back. The receipt by which the etcd
// store decides whether a repeated commit was made was put back as well, and so may claim that this
// commit was made although it was not. The receipt of the next commit is right.
Status Restoration::write_anew(const state::Txn& txn) {
  const auto done = context_.shared.commit(txn);
  if (done) {
    TRY(const auto written, context_.shared.get(txn.puts[0].key));
    if (written && written->value == txn.puts[0].value) return {};
    return fail(Code::kUnavailable, "write {} anew: it is not there; it is tried again",
                txn.puts[0].key);
  }
  if (done.error().code != Code::kConflict) return fail(done.error());
  TRY_STATUS(context_.fence.check_again());
  return fail(Code::kUnavailable, "write the records of this host anew: {}; it is tried again",
              done.error().text);
}

Status Restoration::lose_block(const std::string& network_id, LocalBlock block,
                               const BlockRecord& owner, Conflicts& conflicts) {
  const auto host = read<HostRecord>(context_.shared, keys::host(owner.host_id));
  conflicts.push_back(fmt::format(
      "block {} of network {} was this host's and is host {}'s since the shared store was put "
      "back: "
      "both may have given out the same addresses; recreate the containers here that have one",
      block.block.to_string(), network_id.substr(0, 12),
      host && *host ? (*host)->value.info.name : owner.host_id.substr(0, 12)));
  if (block.ranges.empty()) return {};
  block.ranges.clear();
  return context_.save(network_id, std::move(block));
}

Status Restoration::restore_singles(Conflicts& conflicts) {
  TRY(const auto epoch, context_.fence.epoch());
  TRY(const auto records, context_.local.list(keys::kLocalAddresses));
  for (const state::Record& record : records) {
    TRY(const auto address, decode<LocalAddress>(record));
    if (address.phase != ClaimPhase::kHeld || address.epoch != epoch) continue;
    TRY_STATUS(restore_single(std::string(keys::network_part(record.key)), address, conflicts));
  }
  return {};
}

Status Restoration::restore_single(const std::string& network_id, const LocalAddress& address,
                                   Conflicts& conflicts) {
  const std::string key = keys::address(network_id, address.address);
  const StaticClaimRecord wanted{address.endpoint_id, context_.fence.host_id(), address.epoch};
  TRY(const auto present, read<StaticClaimRecord>(context_.shared, key));
  if (present && present->value == wanted) return {};
  if (present && present->value.host_id != context_.fence.host_id()) {
    conflicts.push_back(both_use(address.address, present->value));
    return {};
  }
  TRY(const auto subnet_area, subnet_area_if_ready(network_id, address.address.family()));
  if (!subnet_area) return {};
  TRY(auto preconditions, context_.fence.of_life());
  state::Txn txn{.preconditions = std::move(preconditions),
                 .puts = {{key, encode(wanted)}},
                 .durability = state::Durability::kDurable};
  txn.preconditions.push_back({key, present ? present->revision : state::kAbsent});
  txn.preconditions.push_back({keys::network(network_id), subnet_area->revision});
  if (subnet_area->area.contains(address.address) && has_blocks(subnet_area->area)) {
    const auto guarded = static_claims_.guard(*subnet_area, address.address, txn);
    if (!guarded && guarded.error().code == Code::kExists) {
      conflicts.push_back(guarded.error().text);
      return {};
    }
    if (!guarded) return guarded;
  }
  if (!context_.fence.rollback_detector().is_quarantined())
    context_.fence.rollback_detector().quarantine(
        fmt::format("{} of this host is not in it", address.address.to_string()));
  return write_anew(txn);
}

}  // namespace fairlead::network::cluster
