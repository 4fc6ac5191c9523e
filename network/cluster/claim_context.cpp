#include "network/cluster/claim_context.h"

#include "network/cluster/block_layout.h"
#include "network/cluster/keys.h"

namespace fairlead::network::cluster {

Result<SubnetArea> ClaimContext::subnet_area_of(const std::string& network_id, Family family) {
  TRY(const auto network, read<NetworkRecord>(shared, keys::network(network_id)));
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

Result<std::vector<Stored<LocalBlock>>> ClaimContext::local_blocks(const std::string& network_id,
                                                                   Family family) {
  TRY(const auto records, local.list(keys::local_blocks_of(network_id)));
  std::vector<Stored<LocalBlock>> blocks;
  for (const state::Record& record : records) {
    TRY(auto block, decode<LocalBlock>(record));
    if (block.block.family() == family) blocks.push_back({std::move(block), record.revision});
  }
  return blocks;
}

Status ClaimContext::save(const std::string& network_id, LocalBlock block) {
  return status_of(
      local.commit({.puts = {{keys::local_block(network_id, block.block.first()), encode(block)}},
                    .durability = state::Durability::kDurable}));
}

Status ClaimContext::save(const std::string& network_id, LocalAddress address, ClaimPhase phase) {
  address.phase = phase;
  address.since = fence.clock().unix_time();
  return status_of(
      local.commit({.puts = {{keys::local_address(network_id, address.address), encode(address)}},
                    .durability = state::Durability::kDurable}));
}

Status ClaimContext::drop(std::string key) {
  return status_of(
      local.commit({.deletes = {std::move(key)}, .durability = state::Durability::kDurable}));
}

}  // namespace fairlead::network::cluster
