#include "network/cluster/addresses.h"

#include <algorithm>

#include "network/cluster/block_layout.h"
#include "network/cluster/keys.h"
#include "network/cluster/sweep.h"

namespace fairlead::network::cluster {

namespace {

bool contains(const std::vector<Cidr>& ranges, const IpAddress& address) {
  return std::ranges::any_of(ranges, [&](const Cidr& range) { return range.contains(address); });
}

}  // namespace

Result<AddressOffer> StoreAddresses::offer(const AddressRequest& request) {
  TRY_STATUS(fence_.check());
  TRY(auto owned, offer_owned(request));
  if (owned.exact || !owned.ranges.empty()) return owned;
  const std::scoped_lock hold(claims_);
  TRY(const auto subnet_area, subnet_area_of(request.network_id, request.family));
  if (request.wanted) return static_claim(subnet_area, request, *request.wanted);
  if (!has_blocks(subnet_area.area)) return claim_any(subnet_area, request);
  TRY_STATUS(resolve_claims(request.network_id, request.family));
  TRY(owned, offer_owned(request));  // another thread may have claimed a block meanwhile
  if (!owned.ranges.empty()) return owned;
  TRY_STATUS(claim_block(request.network_id, request.family));
  return offer_owned(request);
}

// Answers from the blocks that this host owns according to the local store, without the shared
// store.
Result<AddressOffer> StoreAddresses::offer_owned(const AddressRequest& request) {
  AddressOffer offer;
  TRY(const auto epoch, fence_.epoch());
  TRY(const auto blocks, local_blocks(request.network_id, request.family));
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

Status StoreAddresses::extend(const std::string& network_id, Family family) {
  TRY_STATUS(fence_.check());
  const std::scoped_lock hold(claims_);
  TRY_STATUS(resolve_claims(network_id, family));
  TRY(const auto subnet_area, subnet_area_of(network_id, family));
  if (!has_blocks(subnet_area.area))
    return fail(Code::kExhausted, "no address of {} is free",
                subnet_area.subnet.subnet.to_string());
  return claim_block(network_id, family);
}

Result<StoreAddresses::SubnetArea> StoreAddresses::subnet_area_of(const std::string& network_id,
                                                                  Family family) {
  TRY(const auto network, read<NetworkRecord>(shared_, keys::network(network_id)));
  if (!network)
    return fail(Code::kNotFound, "network {} was removed from the cluster",
                network_id.substr(0, 12));
  const std::string& name = network->value.network.name.str();
  if (network->value.phase != NetworkPhase::kReady)
    return fail(Code::kUnavailable, "network {} is being removed; try again", name);
  for (const Subnet& subnet : network->value.network.subnets)
    if (subnet.subnet.family() == family)
      return SubnetArea{network_id, network->revision, subnet, allocation_area(subnet)};
  return fail(Code::kInvalid, "network {} has no IPv{} subnet", name, static_cast<int>(family));
}

Result<std::vector<StoreAddresses::Block>> StoreAddresses::local_blocks(
    const std::string& network_id, Family family) {
  TRY(const auto records, local_.list(keys::local_blocks_of(network_id)));
  std::vector<Block> blocks;
  for (const state::Record& record : records) {
    TRY(auto block, decode<LocalBlock>(record));
    if (block.block.family() == family) blocks.push_back({std::move(block), record.revision});
  }
  return blocks;
}

Status StoreAddresses::save(const std::string& network_id, LocalBlock block) {
  return status_of(
      local_.commit({.puts = {{keys::local_block(network_id, block.block.first()), encode(block)}},
                     .durability = state::Durability::kDurable}));
}

Status StoreAddresses::drop(std::string key) {
  return status_of(
      local_.commit({.deletes = {std::move(key)}, .durability = state::Durability::kDurable}));
}

// maintain() gives the blocks and addresses back when nothing is leased out of them, and tries
// again while the shared store does not answer.
Status StoreAddresses::forget(const std::string& network_id) {
  const std::scoped_lock hold(claims_);
  TRY(const auto blocks, local_.list(keys::local_blocks_of(network_id)));
  for (const state::Record& record : blocks) {
    TRY(auto block, decode<LocalBlock>(record));
    // It is not known whether the claim succeeded.
    if (block.phase == ClaimPhase::kClaiming) continue;
    block.phase = ClaimPhase::kReleasing;
    TRY_STATUS(save(network_id, std::move(block)));
  }
  TRY(const auto addresses, local_.list(keys::local_addresses_of(network_id)));
  for (const state::Record& record : addresses) {
    TRY(const auto address, decode<LocalAddress>(record));
    TRY_STATUS(save(network_id, address, ClaimPhase::kReleasing));
  }
  return sweep_prefix(local_, keys::local_endpoints_of(network_id));
}

Result<std::vector<OwnedBlock>> StoreAddresses::owned() {
  TRY(const auto records, local_.list(keys::kLocalBlocks));
  std::vector<OwnedBlock> blocks;
  for (const state::Record& record : records) {
    TRY(const auto block, decode<LocalBlock>(record));
    if (block.phase == ClaimPhase::kHeld)
      blocks.push_back({std::string(keys::network_part(record.key)), block.block});
  }
  return blocks;
}

}  // namespace fairlead::network::cluster
