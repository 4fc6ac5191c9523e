#include "tests/network/cluster/cluster_world.h"

namespace fairlead::network::cluster {

namespace {

Cidr pool_of(const SharedNetwork& network, Family family) {
  for (const Subnet& subnet : network.subnets)
    if (subnet.subnet.family() == family) return subnet.subnet;
  return {};
}

void add_guards(const AddressOffer& offer, state::Txn& txn) {
  for (const LocalGuard& guard : offer.guards)
    txn.preconditions.push_back({guard.key, guard.revision});
}

}  // namespace

Result<IpAddress> Machine::allocate(const SharedNetwork& network, const std::string& endpoint,
                                    Family family, std::optional<IpAddress> wanted) {
  const Cidr pool = pool_of(network, family);
  for (int attempt = 0; attempt < 20; ++attempt) {
    TRY(const auto offer, addresses().offer({.network_id = network.id,
                                             .endpoint_id = endpoint,
                                             .family = family,
                                             .wanted = wanted}));
    TRY_STATUS(ipam().create_pool({.subnet = pool, .network = network.id}).map([](const auto&) {}));
    const auto claim =
        ipam().plan(pool, {.owner = endpoint, .wanted = offer.exact, .ranges = offer.ranges}, 0);
    if (!claim && claim.error().code == Code::kExhausted) {
      TRY_STATUS(addresses().extend(network.id, family));
      continue;
    }
    if (!claim) return fail(claim.error());
    state::Txn txn;
    claim->change.add_to(txn);
    add_guards(offer, txn);
    const auto done = local->commit(txn);
    if (done) return claim->address.address();
    if (done.error().code != Code::kConflict) return fail(done.error());
  }
  return fail(Code::kUnavailable, "allocate: too many conflicts");
}

Status Machine::release(const SharedNetwork& network, const IpAddress& address,
                        const std::string& endpoint) {
  TRY_STATUS(ipam().release(pool_of(network, address.family()), address, endpoint));
  return addresses().give_back(network.id, address);
}

// Which pool is which network's is what the local store says, as it does on a real host.
Result<std::vector<IpAddress>> Machine::leased(const std::string& network_id, const Cidr& within) {
  std::vector<IpAddress> found;
  TRY(const auto pools, ipam().list_pools());
  for (const PoolRecord& pool : pools) {
    if (pool.network != network_id || !pool.subnet.overlaps(within)) continue;
    TRY(const auto leases, ipam().list_leases(pool.subnet));
    for (const LeaseRecord& lease : leases)
      if (within.contains(lease.address)) found.push_back(lease.address);
  }
  return found;
}

}  // namespace fairlead::network::cluster
