// The leases of a network's addresses, and who owns each of them.
//
// An address that a runtime requests itself (Docker's IpamDriver) changes its owner twice. The
// endpoint cannot own it from the beginning, because it is named later. It cannot own it until the
// end either, because the call that gives the address back names only the address: if another
// container had the address by then, that container would lose it.
//
//   request_address   "docker <8 digits>": the runtime's own, for a container that is starting
//   create_endpoint   the endpoint that names the address
//   remove_endpoint   the runtime's own again, until release_address
//
// A stray lease is one that no endpoint has and that the runtime has owned for too long, because it
// was killed between two calls or could not reach Fairlead.
#include <algorithm>
#include <array>
#include <map>

#include "base/fault.h"
#include "base/hash.h"
#include "network/service/service_impl.h"

namespace fairlead::network {

namespace {

constexpr std::string_view kRuntimesOwn = "docker ";

bool is_runtimes_own(const LeaseRecord& lease) { return lease.owner.starts_with(kRuntimesOwn); }

std::string runtimes_own() { return fmt::format("{}{}", kRuntimesOwn, random_hex(8)); }

const Subnet* subnet_of(const Network& network, const IpAddress& address) {
  const auto found = std::ranges::find_if(
      network.subnets, [&](const Subnet& subnet) { return subnet.subnet.contains(address); });
  return found == network.subnets.end() ? nullptr : &*found;
}

}  // namespace

// ---- the runtime's calls

Result<Cidr> ServiceImpl::request_for_container(const PoolRecord& pool,
                                                std::optional<IpAddress> wanted, AddressUse use) {
  const AddressRequest request{
      .owner = runtimes_own(), .use = use, .wanted = wanted, .since = parts_.unix_time()};
  if (use != AddressUse::kEndpoint || pool.network.empty())
    return ipam_.allocate(pool.subnet, request);
  TRY(const auto stored, records_.network(NetworkId{pool.network}));
  auto given = allocate(stored.value, pool.subnet, request);
  fault_point("pool.address.leased");
  if (given) return given;
  TRY(auto held, hold(NetworkId{pool.network}));
  TRY(const bool freed, make_room(held, given.error(), {}));
  return freed ? allocate(held.network, pool.subnet, request) : given;
}

Status ServiceImpl::release_lease(const PoolRecord& pool, const IpAddress& address) {
  for (unsigned attempt = 0;; ++attempt) {
    TRY(const auto lease, ipam_.find_lease(pool.subnet, address));
    if (!lease) return {};
    TRY(const bool kept, is_kept(pool, *lease));
    if (kept) return {};
    state::Txn txn;
    Ipam::release_plan(pool.subnet, *lease).add_to(txn);
    const Status done = commit(std::move(txn));
    if (!done && done.error().code == Code::kConflict && attempt < kMostAttempts) continue;
    if (!done || pool.network.empty()) return done;
    const auto stored = records_.network(NetworkId{pool.network});
    if (stored)
      give_back(stored->value, std::array{Cidr::of(address, pool.subnet.prefix_length())});
    return {};
  }
}

// Whether the lease stays although Docker gives the address back. Docker gives the gateway and
// reserved addresses back before it removes the network; these leases stay until the network is
// removed. The lease of an endpoint stays when its address was not requested by Docker, and while
// the endpoint is alive, because Docker then means an earlier container.
Result<bool> ServiceImpl::is_kept(const PoolRecord& pool, const LeaseRecord& lease) {
  if (is_runtimes_own(lease)) return false;
  if (lease.use != AddressUse::kEndpoint || pool.network.empty()) return !pool.network.empty();
  TRY(const auto endpoint, records_.endpoint(pool.network, lease.owner));
  if (!endpoint) return false;
  if (endpoint->value.address_source == AddressSource::kFairlead) return true;
  TRY(const auto stored, records_.network(NetworkId{pool.network}));
  TRY(const auto reason, reason_to_drop(stored.value, endpoint->value));
  return reason.empty();
}

Status ServiceImpl::reserve_addresses(const NetworkRef& ref,
                                      const std::map<std::string, IpAddress>& addresses) {
  TRY(auto held, hold(ref));
  for (const auto& [name, address] : addresses) {
    const Subnet* subnet = subnet_of(held.network, address);
    if (subnet == nullptr) continue;
    TRY(auto lease, ipam_.find_lease(subnet->subnet, address));
    if (!lease || lease->use != AddressUse::kEndpoint || !is_runtimes_own(*lease)) continue;
    lease->owner = fmt::format("{}reserved {}", kRuntimesOwn, name);
    lease->use = AddressUse::kReserved;
    lease->boot_id.clear();
    state::Txn txn{.durability = state::Durability::kDurable};
    Ipam::rewrite_plan(subnet->subnet, *lease).add_to(txn);
    TRY_STATUS(commit(std::move(txn)));
  }
  return {};
}

// ---- in one transaction with the endpoint's record

Change ServiceImpl::pass_on(const Cidr& pool, LeaseRecord lease, std::string owner) const {
  lease.owner = std::move(owner);
  lease.since = parts_.unix_time();
  return Ipam::rewrite_plan(pool, lease);
}

Status ServiceImpl::take_over_leases(const Network& network, const Endpoint& endpoint,
                                     unsigned attempt, state::Txn& txn) {
  if (network.address_source == AddressSource::kRuntime) return {};
  for (const Cidr& address : endpoint.addresses) {
    const Subnet* subnet = subnet_of(network, address.address());
    if (subnet == nullptr) continue;
    TRY(const auto lease, ipam_.find_lease(subnet->subnet, address.address()));
    if (lease && lease->use == AddressUse::kEndpoint && is_runtimes_own(*lease)) {
      pass_on(subnet->subnet, *lease, endpoint.id).add_to(txn);
      continue;
    }
    TRY(const auto claim,
        plan_address(
            network, subnet->subnet,
            {.owner = endpoint.id, .wanted = address.address(), .since = parts_.unix_time()},
            attempt, txn));
    claim.change.add_to(txn);
  }
  return {};
}

Result<std::vector<Cidr>> ServiceImpl::give_up_leases(const Network& network,
                                                      const Endpoint& endpoint, Fate fate,
                                                      state::Txn& txn) {
  std::vector<Cidr> freed;
  const bool runtimes = endpoint.address_source == AddressSource::kRuntime;
  if (runtimes && network.address_source == AddressSource::kRuntime) return freed;
  for (const Cidr& address : endpoint.addresses) {
    const Cidr pool = address.network();
    if (runtimes && fate == Fate::kRemoved) {
      TRY(const auto lease, ipam_.find_lease(pool, address.address()));
      if (!lease || lease->use != AddressUse::kEndpoint) continue;
      if (lease->owner == endpoint.id || is_runtimes_own(*lease))
        pass_on(pool, *lease, runtimes_own()).add_to(txn);
      continue;
    }
    TRY(const auto change, ipam_.release_plan(pool, address.address(), endpoint.id));
    if (change.deletes.empty()) continue;
    change.add_to(txn);
    freed.push_back(address);
  }
  return freed;
}

// ---- strays

// The leases are listed before the endpoints, so that each listed lease has its endpoint by then,
// unless the endpoint was removed meanwhile.
Result<ServiceImpl::Strays> ServiceImpl::stray_leases(const Network& network) {
  Strays strays;
  if (network.address_source == AddressSource::kRuntime) return strays;
  std::vector<PoolLease> leases;
  for (const Subnet& subnet : network.subnets) {
    TRY(auto found, ipam_.list_leases(subnet.subnet));
    for (LeaseRecord& lease : found)
      if (lease.use == AddressUse::kEndpoint) leases.push_back({subnet.subnet, std::move(lease)});
  }
  TRY(const auto endpoints, records_.endpoints(network.id));
  std::map<IpAddress, const Endpoint*> holders;
  for (const Endpoint& endpoint : endpoints)
    for (const Cidr& address : endpoint.addresses) holders[address.address()] = &endpoint;
  for (PoolLease& each : leases) {
    const auto found = holders.find(each.lease.address);
    const Endpoint* holder = found == holders.end() ? nullptr : found->second;
    if (holder != nullptr && holder->id == each.lease.owner) continue;
    if (holder != nullptr && is_runtimes_own(each.lease) && each.lease.since == 0)
      strays.of_endpoints.push_back({std::move(each), holder->id});
    else if (is_old(each.lease.since))
      strays.nobodys.push_back(std::move(each));
  }
  return strays;
}

// ---- for people

std::string ServiceImpl::holder_of(const Network& network, const Cidr& pool,
                                   const IpAddress& address) {
  const auto lease = ipam_.find_lease(pool, address);
  if (!lease || !*lease || (*lease)->use != AddressUse::kEndpoint) return {};
  if (is_runtimes_own(**lease)) return "Docker, for a container that is starting or has just gone";
  return records_.describe(network.id, (*lease)->owner);
}

}  // namespace fairlead::network
