#include "network/cluster/maintenance.h"

#include <algorithm>
#include <map>

#include "base/fault.h"
#include "base/log.h"
#include "network/cluster/keys.h"
#include "network/cluster/sweep.h"

namespace fairlead::network::cluster {

namespace {

std::uint64_t size_of(const std::vector<Cidr>& ranges) {
  std::uint64_t total = 0;
  for (const Cidr& range : ranges)
    total = total + range.size() < total ? UINT64_MAX : total + range.size();
  return total;
}

// `percent` of `total`, rounded up. Does not overflow.
std::uint64_t part_of(std::uint64_t total, std::uint64_t percent) {
  return total / 100 * percent + (total % 100 * percent + 99) / 100;
}

// Keeps the first of several errors.
class Outcome {
 public:
  void add(Status status) {
    if (!status && first_) first_ = std::move(status);
  }
  Status first() const { return first_; }

 private:
  Status first_;
};

}  // namespace

Status Maintenance::maintain(LeaseBook& book) {
  TRY_STATUS(context_.fence.check());
  Outcome outcome;
  outcome.add(restoration_.restore(book));
  outcome.add(audit_.run());
  TRY(const auto blocks, context_.local.list(keys::kLocalBlocks));
  std::map<std::pair<std::string, Family>, Occupancy> fills;
  for (const state::Record& record : blocks) {
    TRY(auto block, decode<LocalBlock>(record));
    const std::string network_id(keys::network_part(record.key));
    Occupancy& fill = fills[{network_id, block.block.family()}];
    outcome.add(maintain_block(network_id, std::move(block), book, fill));
  }
  for (const auto& [where, fill] : fills) {
    if (context_.fence.rollback_detector().is_quarantined() || fill.total == 0 ||
        fill.used < part_of(fill.total, kClaimAtPercent))
      continue;
    auto claimed = blocks_.claim(where.first, where.second);
    // An allocation that needs a block reports it.
    if (!claimed && claimed.error().code == Code::kExhausted) continue;
    outcome.add(std::move(claimed));
  }
  TRY(const auto singles, context_.local.list(keys::kLocalAddresses));
  for (const state::Record& record : singles) {
    TRY(const auto address, decode<LocalAddress>(record));
    outcome.add(maintain_single(std::string(keys::network_part(record.key)), address, book));
  }
  return outcome.first();
}

Status Maintenance::maintain_block(const std::string& network_id, LocalBlock block, LeaseBook& book,
                                   Occupancy& fill) {
  if (block.phase == ClaimPhase::kClaiming) return status_of(blocks_.resolve(network_id, block));
  if (block.phase == ClaimPhase::kReleasing)
    return release_block(network_id, std::move(block), book);
  TRY(const auto used, book.leased(network_id, block.block));
  const long long now = context_.fence.clock().unix_time();
  if (block.empty_since > now) block.empty_since = 0;  // the clock was set back: count from now on
  if (used.empty() && block.empty_since != 0 && now - block.empty_since >= kEmptyBlockSeconds)
    return release_block(network_id, std::move(block), book);
  fill.total += std::min(size_of(block.ranges), UINT64_MAX - fill.total);
  fill.used += used.size();
  if (used.empty() == (block.empty_since != 0)) return {};
  block.empty_since = used.empty() ? now : 0;
  return context_.save(network_id, std::move(block));
}

// The local record is changed first, after which no lease can be committed that was planned while
// the block was held. Only then does it count that the block has no leases.
Status Maintenance::release_block(const std::string& network_id, LocalBlock block,
                                  LeaseBook& book) {
  block.phase = ClaimPhase::kReleasing;
  TRY_STATUS(context_.save(network_id, block));
  fault_point("cluster.block.releasing");
  const auto base = block.block.first();
  const std::string key = keys::block(network_id, base);
  TRY(const auto record, read<BlockRecord>(context_.shared, key));
  if (record && record->value.host_id == context_.fence.host_id() &&
      record->value.epoch == block.epoch) {
    TRY(const auto used, book.leased(network_id, block.block));
    if (!used.empty()) {
      block.phase = ClaimPhase::kHeld;
      block.empty_since = 0;
      return context_.save(network_id, std::move(block));
    }
    TRY_STATUS(context_.shared.commit({.preconditions = {{key, record->revision}},
                                       .deletes = {key},
                                       .durability = state::Durability::kDurable}));
  }
  fault_point("cluster.block.released");
  log::info("cluster.block.released",
            {{"network", network_id.substr(0, 12)}, {"block", block.block.to_string()}});
  return context_.drop(keys::local_block(network_id, base));
}

// Gives back a claim without a lease, whose caller died before it made the lease. A caller that is
// still running has kUnleasedSeconds to make it.
Status Maintenance::maintain_single(const std::string& network_id, const LocalAddress& address,
                                    LeaseBook& book) {
  const long long age =
      context_.fence.clock().unix_time() - address.since;  // negative when the clock was set back
  const bool is_releasing = address.phase == ClaimPhase::kReleasing;
  if (!is_releasing && age >= 0 && age < kUnleasedSeconds) return {};
  const unsigned bits = address.address.is_v4() ? 32 : 128;
  const auto leased_now = [&] { return book.leased(network_id, Cidr::of(address.address, bits)); };
  TRY(const auto leased, leased_now());
  if (!leased.empty())
    return is_releasing ? context_.save(network_id, address, ClaimPhase::kHeld) : Status();
  // From now on no lease can be committed.
  TRY_STATUS(context_.save(network_id, address, ClaimPhase::kReleasing));
  TRY(const auto leased_meanwhile, leased_now());
  if (!leased_meanwhile.empty()) return context_.save(network_id, address, ClaimPhase::kHeld);
  return static_claims_.release(network_id, address);
}

// maintain() gives the blocks and addresses back when nothing is leased out of them, and tries
// again while the shared store does not answer.
Status Maintenance::forget(const std::string& network_id) {
  TRY(const auto blocks, context_.local.list(keys::local_blocks_of(network_id)));
  for (const state::Record& record : blocks) {
    TRY(auto block, decode<LocalBlock>(record));
    // It is not known whether the claim succeeded.
    if (block.phase == ClaimPhase::kClaiming) continue;
    block.phase = ClaimPhase::kReleasing;
    TRY_STATUS(context_.save(network_id, std::move(block)));
  }
  TRY(const auto addresses, context_.local.list(keys::local_addresses_of(network_id)));
  for (const state::Record& record : addresses) {
    TRY(const auto address, decode<LocalAddress>(record));
    TRY_STATUS(context_.save(network_id, address, ClaimPhase::kReleasing));
  }
  return sweep_prefix(context_.local, keys::local_endpoints_of(network_id));
}

}  // namespace fairlead::network::cluster
