#include "network/cluster/blocks.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "network/cluster/block_layout.h"
#include "network/cluster/keys.h"

namespace fairlead::network::cluster {

namespace {

constexpr unsigned kMostAttempts = 64;
constexpr std::size_t kPage = 256;

bool contains(const std::vector<Cidr>& ranges, const IpAddress& address) {
  return std::ranges::any_of(ranges, [&](const Cidr& range) { return range.contains(address); });
}

bool is_of(Family family, std::string_view hex) {
  return hex.size() == (family == Family::kV4 ? 8U : 32U);
}

}  // namespace

Result<AddressOffer> Blocks::offer_owned(const AddressRequest& request) {
  AddressOffer offer;
  TRY(const auto epoch, context_.fence.epoch());
  TRY(const auto blocks, context_.local_blocks(request.network_id, request.family));
  for (const auto& [block, revision] : blocks) {
    if (block.phase != ClaimPhase::kHeld || block.epoch != epoch) continue;
    if (request.wanted && !contains(block.ranges, *request.wanted)) continue;
    if (request.wanted)
      offer.exact = request.wanted;
    else
      offer.ranges.insert(offer.ranges.end(), block.ranges.begin(), block.ranges.end());
    offer.guards.push_back({keys::local_block(request.network_id, block.block.first()), revision});
  }
  return offer;
}

Result<std::vector<OwnedBlock>> Blocks::owned() {
  TRY(const auto records, context_.local.list(keys::kLocalBlocks));
  std::vector<OwnedBlock> blocks;
  for (const state::Record& record : records) {
    TRY(const auto block, decode<LocalBlock>(record));
    if (block.phase == ClaimPhase::kHeld)
      blocks.push_back({std::string(keys::network_part(record.key)), block.block});
  }
  return blocks;
}

Status Blocks::claim(const std::string& network_id, Family family) {
  TRY_STATUS(context_.fence.rollback_detector().may_claim());
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(const auto subnet_area, context_.subnet_area_of(network_id, family));
    TRY(const auto taken, taken_blocks(subnet_area));
    const auto block = free_block(subnet_area.area, network_id + context_.fence.host_id(), taken);
    if (!block)
      return fail(
          Code::kExhausted,
          "no block of {} is free: the hosts have all {}; remove hosts that are gone, or use "
          "a network with a larger subnet",
          subnet_area.area.to_string(), block_count(subnet_area.area));
    const auto claimed = try_claim(subnet_area, *block);
    if (claimed && *claimed) return {};
    if (!claimed && claimed.error().code != Code::kConflict) return fail(claimed.error());
    TRY_STATUS(context_.fence.check_again());
  }
  return fail(Code::kUnavailable, "claim a block of addresses: too many hosts at once; try again");
}

// The first addresses of the blocks that cannot be claimed: the blocks of all hosts, those in this
// host's journal, and those that contain no address to give out.
Result<std::set<IpAddress>> Blocks::taken_blocks(const SubnetArea& subnet_area) {
  std::set<IpAddress> taken;
  const auto add = [&](const std::vector<state::Record>& records) -> Status {
    for (const state::Record& record : records) {
      const auto hex = keys::last_part(record.key);
      if (!is_of(subnet_area.area.family(), hex)) continue;
      if (const auto base = IpAddress::from_hex(hex)) taken.insert(*base);
    }
    return {};
  };
  TRY(const auto shared, context_.shared.list(keys::blocks_of(subnet_area.network_id)));
  TRY_STATUS(add(shared));
  TRY(const auto local, context_.local.list(keys::local_blocks_of(subnet_area.network_id)));
  TRY_STATUS(add(local));
  TRY(const auto guards, context_.shared.list(keys::claim_guards_of(subnet_area.network_id)));
  // A guard exists only where a single address was claimed.
  for (const state::Record& record : guards) {
    const auto hex = keys::last_part(record.key);
    if (!is_of(subnet_area.area.family(), hex)) continue;
    const auto base = IpAddress::from_hex(hex);
    if (!base) continue;
    const Cidr block = block_of(subnet_area.area, *base);
    TRY(auto excluded, static_claims_in(subnet_area.network_id, block));
    std::ranges::copy(reserved_addresses(subnet_area.subnet), std::back_inserter(excluded));
    if (without(block, excluded).empty()) taken.insert(*base);
  }
  return taken;
}

Result<std::vector<IpAddress>> Blocks::static_claims_in(const std::string& network_id,
                                                        const Cidr& block) {
  std::vector<IpAddress> claimed;
  const std::string prefix = keys::addresses_of(network_id);
  // The key of the block's first address without its last digit sorts before that key, and after
  // the keys of all blocks before.
  std::string after = keys::address(network_id, block.first());
  after.pop_back();
  for (;;) {
    TRY(const auto page, context_.shared.list(prefix, after, kPage));
    for (const state::Record& record : page) {
      const auto hex = keys::last_part(record.key);
      if (!is_of(block.family(), hex)) continue;
      const auto address = IpAddress::from_hex(hex);
      if (!address) continue;
      if (*address > block.last()) return claimed;
      if (block.contains(*address)) claimed.push_back(*address);
    }
    if (page.size() < kPage) return claimed;
    after = page.back().key;
  }
}

// Returns whether the block has an address to give out. kConflict when something changed meanwhile,
// and the caller has to choose a block again. Any other error leaves the record in the journal in
// the phase kClaiming, because the claim may have been committed nevertheless.
Result<bool> Blocks::try_claim(const SubnetArea& subnet_area, const Cidr& block) {
  const std::string guard_key = keys::claim_guard(subnet_area.network_id, block.first());
  const std::string key = keys::block(subnet_area.network_id, block.first());
  // Read before the list of the addresses that it guards.
  TRY(const auto guard, context_.shared.get(guard_key));
  TRY(auto holes, static_claims_in(subnet_area.network_id, block));
  TRY(auto preconditions, context_.fence.of_life());
  TRY(const auto epoch, context_.fence.epoch());
  std::vector<IpAddress> excluded = holes;
  std::ranges::copy(reserved_addresses(subnet_area.subnet), std::back_inserter(excluded));
  LocalBlock local{.block = block, .epoch = epoch, .ranges = without(block, excluded)};
  TRY_STATUS(context_.save(subnet_area.network_id, local));
  fault_point("cluster.block.journalled");
  preconditions.push_back({keys::network(subnet_area.network_id), subnet_area.revision});
  preconditions.push_back({key, state::kAbsent});
  preconditions.push_back({guard_key, guard ? guard->revision : state::kAbsent});
  const auto done = context_.shared.commit(
      {.preconditions = std::move(preconditions),
       .puts = {{key, encode(BlockRecord{context_.fence.host_id(), epoch, std::move(holes)})}},
       .durability = state::Durability::kDurable});
  if (!done && done.error().code == Code::kConflict) {
    // When a store repeats a commit whose answer was lost, this host's own record may have caused
    // the conflict.
    TRY(const bool ours, resolve(subnet_area.network_id, local));
    if (ours) return true;
  }
  if (!done) return fail(done.error());
  fault_point("cluster.block.claimed");
  local.phase = ClaimPhase::kHeld;
  const bool useful = !local.ranges.empty();
  TRY_STATUS(context_.save(subnet_area.network_id, std::move(local)));
  log::info("cluster.block.claimed",
            {{"network", subnet_area.network_id.substr(0, 12)}, {"block", block.to_string()}});
  return useful;
}

Status Blocks::resolve_claims(const std::string& network_id, Family family) {
  TRY(const auto blocks, context_.local_blocks(network_id, family));
  for (const auto& block : blocks)
    if (block.value.phase == ClaimPhase::kClaiming) TRY_STATUS(resolve(network_id, block.value));
  return {};
}

Result<bool> Blocks::resolve(const std::string& network_id, const LocalBlock& block) {
  const auto base = block.block.first();
  TRY(const auto record, read<BlockRecord>(context_.shared, keys::block(network_id, base)));
  const bool ours = record && record->value.host_id == context_.fence.host_id() &&
                    record->value.epoch == block.epoch;
  if (!ours) return context_.drop(keys::local_block(network_id, base)).map([] { return false; });
  TRY(const auto subnet_area, context_.subnet_area_of(network_id, base.family()));
  return adopt(subnet_area, block.block, record->value).map([] { return true; });
}

Status Blocks::adopt(const SubnetArea& subnet_area, const Cidr& block, const BlockRecord& record) {
  std::vector<IpAddress> excluded = record.holes;
  std::ranges::copy(reserved_addresses(subnet_area.subnet), std::back_inserter(excluded));
  return context_.save(subnet_area.network_id, LocalBlock{.block = block,
                                                          .epoch = record.epoch,
                                                          .phase = ClaimPhase::kHeld,
                                                          .ranges = without(block, excluded)});
}

}  // namespace fairlead::network::cluster
