#include "tests/network/cluster/service_steps.h"

#include <algorithm>

namespace fairlead::network::cluster {

namespace {

Cidr pool_of(const SharedNetwork& network, Family family) {
  for (const Subnet& subnet : network.subnets)
    if (subnet.subnet.family() == family) return subnet.subnet;
  return {};
}

}  // namespace

Result<std::vector<PoolRecord>> ServiceSteps::pools() {
  const std::scoped_lock hold(guard_);
  if (!pools_) {
    TRY(pools_, ipam().list_pools());
  }
  return *pools_;
}

Status ServiceSteps::ensure_pool(const SharedNetwork& network, const Cidr& subnet) {
  TRY(const auto known, pools());
  if (std::ranges::find(known, subnet, &PoolRecord::subnet) != known.end()) return {};
  TRY_STATUS(ipam().create_pool({.subnet = subnet, .network = network.id}));
  const std::scoped_lock hold(guard_);
  pools_.reset();
  return {};
}

Result<IpAddress> ServiceSteps::allocate(const SharedNetwork& network, const std::string& endpoint,
                                         Family family, std::optional<IpAddress> wanted) {
  const Cidr pool = pool_of(network, family);
  for (int attempt = 0; attempt < 20; ++attempt) {
    TRY(const auto offer, addresses_.offer({.network_id = network.id,
                                            .endpoint_id = endpoint,
                                            .family = family,
                                            .wanted = wanted}));
    TRY_STATUS(ensure_pool(network, pool));
    const auto claim =
        ipam().plan(pool, {.owner = endpoint, .wanted = offer.exact, .ranges = offer.ranges});
    if (!claim && claim.error().code == Code::kExhausted) {
      TRY_STATUS(addresses_.extend(network.id, family));
      continue;
    }
    if (!claim) return fail(claim.error());
    state::Txn txn;
    claim->change.add_to(txn);
    for (const LocalGuard& guard : offer.guards)
      txn.preconditions.push_back({guard.key, guard.revision});
    const auto done = local_.commit(txn);
    if (done) return claim->address.address();
    if (done.error().code != Code::kConflict) return fail(done.error());
  }
  return fail(Code::kUnavailable, "allocate: too many conflicts");
}

Status ServiceSteps::release(const SharedNetwork& network, const IpAddress& address,
                             const std::string& endpoint) {
  TRY_STATUS(ipam().release(pool_of(network, address.family()), address, endpoint));
  return addresses_.give_back(network.id, address);
}

Result<std::vector<IpAddress>> ServiceSteps::leased(const std::string& network_id,
                                                    const Cidr& within) {
  std::vector<IpAddress> found;
  TRY(const auto known, pools());
  for (const PoolRecord& pool : known) {
    if (pool.network != network_id || !pool.subnet.overlaps(within)) continue;
    TRY(const auto leases, ipam().list_leases(pool.subnet));
    for (const LeaseRecord& lease : leases)
      if (within.contains(lease.address)) found.push_back(lease.address);
  }
  return found;
}

}  // namespace fairlead::network::cluster
