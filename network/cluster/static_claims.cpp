#include "network/cluster/static_claims.h"

#include <algorithm>
#include <random>
#include <set>

#include "base/fault.h"
#include "base/hash.h"
#include "network/cluster/block_layout.h"
#include "network/cluster/keys.h"

namespace fairlead::network::cluster {

namespace {

constexpr unsigned kMostAttempts = 64;

Status check_usable(const Subnet& subnet, const IpAddress& address) {
  if (!subnet.subnet.contains(address))
    return fail(Code::kInvalid, "address {} is not inside the subnet {}", address.to_string(),
                subnet.subnet.to_string());
  const auto reserved = reserved_addresses(subnet);
  if (std::ranges::find(reserved, address) == reserved.end()) return {};
  return fail(Code::kExists,
              "address {} of {} is reserved: the gateway's, the network's or one set aside",
              address.to_string(), subnet.subnet.to_string());
}

std::size_t random_below(std::size_t count) {
  thread_local std::minstd_rand random{static_cast<std::uint32_t>(random_word())};
  return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
}

}  // namespace

Result<AddressOffer> StaticClaims::claim(const SubnetArea& subnet_area,
                                         const AddressRequest& request, const IpAddress& address) {
  TRY_STATUS(check_usable(subnet_area.subnet, address));
  SubnetArea present = subnet_area;
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    const auto claimed = try_claim(present, request, address);
    if (claimed && *claimed) {
      TRY(const auto local,
          context_.local.get(keys::local_address(subnet_area.network_id, address)));
      AddressOffer offer{.exact = address};
      if (local) offer.guards.push_back({local->key, local->revision});
      return offer;
    }
    if (claimed) return blocks_.offer_owned(request);  // the address is in a block of this host
    if (claimed.error().code != Code::kConflict) return fail(claimed.error());
    TRY_STATUS(context_.fence.check_again());
    TRY(present, context_.subnet_area_of(request.network_id, request.family));
  }
  return fail(Code::kUnavailable, "claim address {}: too many hosts at once; try again",
              address.to_string());
}

// True when the address is claimed for this endpoint, now or earlier. False when no claim is
// needed, because the address is in a block that turned out to belong to this host.
Result<bool> StaticClaims::try_claim(const SubnetArea& subnet_area, const AddressRequest& request,
                                     const IpAddress& address) {
  TRY(const auto epoch, context_.fence.epoch());
  LocalAddress local{.address = address, .endpoint_id = request.endpoint_id, .epoch = epoch};
  const std::string key = keys::address(subnet_area.network_id, address);
  const StaticClaimRecord wanted{request.endpoint_id, context_.fence.host_id(), epoch};
  TRY(const auto present, read<StaticClaimRecord>(context_.shared, key));
  if (present && present->value != wanted)
    return fail(Code::kExists, "address {} is taken by endpoint {} on host {}", address.to_string(),
                present->value.endpoint_id.substr(0, 12), present->value.host_id.substr(0, 12));
  if (present)
    return context_.save(subnet_area.network_id, local, ClaimPhase::kHeld).map([] { return true; });
  TRY_STATUS(context_.fence.rollback_detector().may_claim());
  TRY(auto preconditions, context_.fence.of_life());
  state::Txn txn{.preconditions = std::move(preconditions),
                 .puts = {{key, encode(wanted)}},
                 .durability = state::Durability::kDurable};
  txn.preconditions.push_back({key, state::kAbsent});
  txn.preconditions.push_back({keys::network(subnet_area.network_id), subnet_area.revision});
  if (subnet_area.area.contains(address) && has_blocks(subnet_area.area)) {
    const Cidr block = block_of(subnet_area.area, address);
    TRY(const auto owner,
        read<BlockRecord>(context_.shared, keys::block(subnet_area.network_id, block.first())));
    if (owner && owner->value.host_id == context_.fence.host_id() && owner->value.epoch == epoch &&
        std::ranges::find(owner->value.holes, address) == owner->value.holes.end())
      return blocks_.adopt(subnet_area, block, owner->value).map([] { return false; });
    TRY_STATUS(guard(subnet_area, address, txn));
  }
  TRY_STATUS(context_.save(subnet_area.network_id, local, ClaimPhase::kClaiming));
  fault_point("cluster.address.journalled");
  const auto done = context_.shared.commit(txn);
  if (!done && done.error().code == Code::kConflict)
    TRY_STATUS(context_.drop(keys::local_address(subnet_area.network_id, address)));
  if (!done) return fail(done.error());
  fault_point("cluster.address.claimed");
  return context_.save(subnet_area.network_id, local, ClaimPhase::kHeld).map([] { return true; });
}

Status StaticClaims::guard(const SubnetArea& subnet_area, const IpAddress& address,
                           state::Txn& txn) {
  const Cidr block = block_of(subnet_area.area, address);
  const std::string key = keys::block(subnet_area.network_id, block.first());
  TRY(const auto owner, read<BlockRecord>(context_.shared, key));
  txn.preconditions.push_back({key, owner ? owner->revision : state::kAbsent});
  if (!owner) {
    txn.puts.push_back({keys::claim_guard(subnet_area.network_id, block.first()),
                        encode_last(address.to_string())});
    return {};
  }
  const auto& holes = owner->value.holes;
  if (std::ranges::find(holes, address) != holes.end()) return {};
  const auto host = read<HostRecord>(context_.shared, keys::host(owner->value.host_id));
  return fail(Code::kExists,
              "address {} lies in {}, which host {} gives out by itself; start the container "
              "there, choose another address, or give the network a range and choose one outside",
              address.to_string(), block.to_string(),
              host && *host ? (*host)->value.info.name : owner->value.host_id.substr(0, 12));
}

// The address is chosen at random, so that it is seldom reused soon and hosts seldom try the same
// one.
Result<AddressOffer> StaticClaims::claim_any(const SubnetArea& subnet_area,
                                             const AddressRequest& request) {
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(const auto epoch, context_.fence.epoch());
    TRY(const auto records, context_.shared.list(keys::addresses_of(subnet_area.network_id)));
    const StaticClaimRecord own{request.endpoint_id, context_.fence.host_id(), epoch};
    std::set<IpAddress> taken;
    for (const state::Record& record : records) {
      const auto address = IpAddress::from_hex(keys::last_part(record.key));
      if (!address || !subnet_area.area.contains(*address)) continue;
      const auto holder = decode<StaticClaimRecord>(record);  // unreadable: taken, by whomever
      if (holder && *holder == own) return claim(subnet_area, request, *address);  // repeated
      taken.insert(*address);
    }
    for (const IpAddress& address : reserved_addresses(subnet_area.subnet)) taken.insert(address);
    std::vector<IpAddress> free;
    for (std::uint64_t i = 0; i < subnet_area.area.size(); ++i)
      if (const auto address = subnet_area.area.first().plus(i); !taken.contains(*address))
        free.push_back(*address);
    if (free.empty()) break;
    const auto claimed = claim(subnet_area, request, free[random_below(free.size())]);
    if (claimed || claimed.error().code != Code::kExists) return claimed;
  }
  return fail(Code::kExhausted,
              "no address of {} is free; remove containers that are not needed or use a network "
              "with a larger subnet",
              subnet_area.area.to_string());
}

Status StaticClaims::give_back(const std::string& network_id, const IpAddress& address) {
  const std::string key = keys::local_address(network_id, address);
  TRY(const auto local, read<LocalAddress>(context_.local, key));
  if (!local) return {};  // the address is in a block
  TRY_STATUS(context_.save(network_id, local->value, ClaimPhase::kReleasing));
  if (!context_.fence.of_record()) return {};  // maintain() completes it once this host has joined
  fault_point("cluster.address.releasing");
  const auto released = release(network_id, local->value);
  if (!released && !is_unreachable(released.error())) return released;
  return {};
}

Status StaticClaims::release(const std::string& network_id, const LocalAddress& address) {
  const std::string key = keys::address(network_id, address.address);
  const StaticClaimRecord own{address.endpoint_id, context_.fence.host_id(), address.epoch};
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(const auto present, read<StaticClaimRecord>(context_.shared, key));
    if (!present || present->value != own) break;
    const auto done = context_.shared.commit({.preconditions = {{key, present->revision}},
                                              .deletes = {key},
                                              .durability = state::Durability::kDurable});
    if (done) break;
    if (done.error().code != Code::kConflict) return fail(done.error());
  }
  fault_point("cluster.address.released");
  return context_.drop(keys::local_address(network_id, address.address));
}

}  // namespace fairlead::network::cluster
