#include "network/service/pools.h"

#include <algorithm>
#include <array>

#include "base/fault.h"
#include "network/api/subnet_specs.h"

namespace fairlead::network {

namespace {

// The family's subnet that the request names, or else its first.
const Subnet* subnet_in(const std::vector<Subnet>& subnets, Family family,
                        const std::optional<Cidr>& named) {
  const Subnet* first = nullptr;
  for (const Subnet& subnet : subnets) {
    if (subnet.subnet.family() != family) continue;
    if (!named || subnet.subnet == *named) return &subnet;
    if (first == nullptr) first = &subnet;
  }
  return first;
}

Status check_source(const Network& network) {
  if (network.address_source == AddressSource::kFairlead) return {};
  if (network.address_source == AddressSource::kPlugin)
    return fail(
        Code::kConflict,
        "the addresses of network {} are given by another IPAM plugin of CNI, which Docker "
        "does not ask; make it without \"ipam\" in the conflist, or without its type, to share "
        "it",
        network.name.str());
  return fail(Code::kConflict,
              "the addresses of network {} are given by its runtime's own allocator, which would "
              "give the same ones once more; make it with addresses from Fairlead (docker network "
              "create -d fairlead --ipam-driver fairlead) to share it",
              network.name.str());
}

tl::unexpected<Error> no_subnet(const NetworkName& network, Family family) {
  return fail(
      Code::kNotFound, "network {} has no IPv{} subnet; Docker joins it {}", network.str(),
      static_cast<int>(family),
      family == Family::kV4 ? "with --ipv4=false --ipv6, from version 28 on" : "without --ipv6");
}

}  // namespace

Result<Pool> Pools::request_pool(const PoolRequest& request) {
  const Family family = request.subnet ? request.subnet->family() : request.family;
  if (request.join) {
    auto stored = context_.records.network(*request.join);
    if (!stored && stored.error().code == Code::kNotFound && context_.parts.cluster != nullptr)
      return request_shared_pool(request);
    if (!stored) return fail(stored.error());
    TRY_STATUS(check_source(stored->value));
    const Subnet* subnet = subnet_in(stored->value.subnets, family, request.subnet);
    if (subnet == nullptr) return no_subnet(*request.join, family);
    if (request.subnet && *request.subnet != subnet->subnet)
      return fail(Code::kConflict, "network {} has the subnet {}, not {}", request.join->str(),
                  subnet->subnet.to_string(), request.subnet->to_string());
    return Pool{subnet->pool_id, subnet->subnet, subnet->range, subnet->gateway};
  }
  std::vector<Cidr> occupied;
  if (!request.subnet) {
    TRY(occupied, context_.parts.links.host_routing().occupied_subnets());
  }
  TRY(auto pool, context_.ipam.create_pool({.subnet = request.subnet,
                                            .family = family,
                                            .prefix_length = request.prefix_length,
                                            .range = request.range,
                                            .owner = "docker"},
                                           occupied));
  return Pool{pool.subnet.to_string(), pool.subnet, pool.range, std::nullopt};
}

// Docker requests the pool before it names the properties of the network, which may exist in the
// cluster or not. When two hosts make the network at the same time, one of them is told to try
// again.
Result<Pool> Pools::request_shared_pool(const PoolRequest& request) {
  const Family family = request.subnet ? request.subnet->family() : request.family;
  const std::string& name = request.join->str();
  NewPool wanted{.subnet = request.subnet, .family = family, .range = request.range, .owner = name};
  const auto shared = context_.parts.cluster->networks().inspect(name);
  if (!shared && shared.error().code != Code::kNotFound) return fail(shared.error());
  if (shared) {
    const Subnet* subnet = subnet_in(shared->subnets, family, request.subnet);
    if (subnet == nullptr) return no_subnet(*request.join, family);
    if (request.subnet && *request.subnet != subnet->subnet)
      return fail(Code::kConflict, "network {} has the subnet {}, not {}", name,
                  subnet->subnet.to_string(), request.subnet->to_string());
    wanted.subnet = subnet->subnet;
    wanted.range = subnet->range;
    wanted.gateway = subnet->gateway;
  } else if (!wanted.subnet) {
    TRY(const auto occupied, addresses_.occupied_here());
    TRY(wanted.subnet, context_.parts.cluster->networks().free_subnet(family, occupied));
  }
  TRY(const auto pool, context_.ipam.create_pool(wanted));
  return Pool{pool.subnet.to_string(), pool.subnet, pool.range, wanted.gateway};
}

Status Pools::release_pool(const std::string& pool_id) {
  const auto subnet = parse_pool_id(pool_id);
  if (!subnet) return {};
  TRY(auto pool, context_.ipam.find_pool(*subnet));
  // The pool of a network is removed with the network.
  if (!pool || !pool->network.empty()) return {};
  return context_.ipam.remove_pool(*subnet);
}

Result<Cidr> Pools::request_address(const std::string& pool_id, std::optional<IpAddress> wanted,
                                    AddressUse use) {
  TRY(auto subnet, parse_pool_id(pool_id));
  TRY(auto pool, context_.ipam.find_pool(subnet));
  if (!pool) return fail(Code::kNotFound, "address pool {} does not exist", pool_id);
  if (use != AddressUse::kGateway) return request_for_container(*pool, wanted, use);
  if (subnet.size() == 1)
    return Cidr::of(wanted && !subnet.contains(*wanted) ? *wanted : link_gateway(subnet.family()),
                    subnet.prefix_length());
  if (!wanted) wanted = pool->gateway.value_or(default_gateway(subnet));
  if (pool->gateway && *wanted != *pool->gateway)
    return fail(Code::kConflict, "the gateway of {} is {}, not {}", pool_id,
                pool->gateway->to_string(), wanted->to_string());
  return context_.ipam.allocate(subnet, {.owner = "gateway", .use = use, .wanted = wanted});
}

Status Pools::release_address(const std::string& pool_id, const IpAddress& address) {
  const auto subnet = parse_pool_id(pool_id);
  if (!subnet) return {};
  TRY(auto pool, context_.ipam.find_pool(*subnet));
  if (!pool) return {};
  TRY(const auto holder, pool_with(*pool, address));
  return release_lease(holder, address);
}

Result<Cidr> Pools::request_for_container(const PoolRecord& pool, std::optional<IpAddress> wanted,
                                          AddressUse use) {
  // Docker does not tell for which container: whoever names the address gets what is kept.
  const AddressRequest request{.owner = runtimes_own(),
                               .use = use,
                               .wanted = wanted,
                               .since = context_.parts.unix_time(),
                               .reserved_for = std::string(kAnyReservation)};
  if (use != AddressUse::kEndpoint || pool.network.empty())
    return context_.ipam.allocate(pool.subnet, request);
  TRY(const auto stored, context_.records.network(NetworkId{pool.network}));
  auto given = allocate_in(stored.value, pool.subnet, request);
  fault_point("pool.address.leased");
  if (given) return as_placed(stored.value, *given);
  TRY(auto held, context_.hold(NetworkId{pool.network}));
  TRY(const bool freed, collector_.make_room(held, given.error(), {}));
  if (freed) given = allocate_in(held.network, pool.subnet, request);
  return given ? as_placed(held.network, *given) : given;
}

// The prefix length with which the runtime is to set the address.
Cidr Pools::as_placed(const Network& network, const Cidr& address) const {
  const auto driver = context_.driver_of(network.options);
  if (!driver || !(*driver)->traits().host_prefixes) return address;
  return Cidr::of(address.address(), address.is_v4() ? 32 : 128);
}

// Docker asks for an address of the network's first pool, also when it is full, and takes one of
// another pool. It gives that back, and asks for it again after a restart, under the id of the first.
Result<Cidr> Pools::allocate_in(const Network& network, const Cidr& pool,
                                const AddressRequest& request) {
  if (request.wanted && !pool.contains(*request.wanted)) {
    const Subnet* subnet = subnet_of(network, *request.wanted);
    return addresses_.allocate(network, subnet == nullptr ? pool : subnet->subnet, request);
  }
  auto given = addresses_.allocate(network, pool, request);
  for (const Subnet& other : network.subnets) {
    if (given || given.error().code != Code::kExhausted || request.wanted) return given;
    if (other.subnet == pool || other.subnet.family() != pool.family()) continue;
    auto elsewhere = addresses_.allocate(network, other.subnet, request);
    if (elsewhere || elsewhere.error().code != Code::kExhausted) return elsewhere;
  }
  return given;
}

// The pool of the address: the one that Docker names, or another one of its network.
Result<PoolRecord> Pools::pool_with(const PoolRecord& named, const IpAddress& address) {
  if (named.subnet.contains(address) || named.network.empty()) return named;
  const auto stored = context_.records.network(NetworkId{named.network});
  const Subnet* subnet = stored ? subnet_of(stored->value, address) : nullptr;
  if (subnet == nullptr) return named;
  TRY(auto found, context_.ipam.find_pool(subnet->subnet));
  return found.value_or(named);
}

Status Pools::release_lease(const PoolRecord& pool, const IpAddress& address) {
  for (unsigned attempt = 0;; ++attempt) {
    TRY(const auto lease, context_.ipam.find_lease(pool.subnet, address));
    if (!lease) return {};
    TRY(const bool kept, is_kept(pool, *lease));
    if (kept) return {};
    state::Txn txn;
    Ipam::release_plan(pool.subnet, *lease).add_to(txn);
    const Status done = context_.commit(std::move(txn));
    if (!done && done.error().code == Code::kConflict && attempt < kMostAttempts) continue;
    if (!done || pool.network.empty()) return done;
    const auto stored = context_.records.network(NetworkId{pool.network});
    if (stored)
      addresses_.give_back(stored->value,
                           std::array{Cidr::of(address, pool.subnet.prefix_length())});
    return {};
  }
}

// Whether the lease stays although Docker gives the address back. Docker gives the gateway and
// reserved addresses back before it removes the network; these leases stay until the network is
// removed. The lease of an endpoint stays when its address was not requested by Docker, and while
// the endpoint is alive, because Docker then means an earlier container.
Result<bool> Pools::is_kept(const PoolRecord& pool, const LeaseRecord& lease) {
  if (is_runtimes_own(lease)) return false;
  if (lease.use != AddressUse::kEndpoint || pool.network.empty()) return !pool.network.empty();
  TRY(const auto endpoint, context_.records.endpoint(pool.network, lease.owner));
  if (!endpoint) return false;
  if (endpoint->value.address_source != AddressSource::kRuntime) return true;
  TRY(const auto stored, context_.records.network(NetworkId{pool.network}));
  TRY(const auto reason, removal_.reason_to_drop(stored.value, endpoint->value));
  return reason.empty();
}

Status Pools::reserve_addresses(const NetworkRef& ref,
                                const std::map<std::string, IpAddress>& addresses) {
  TRY(auto held, context_.hold(ref));
  for (const auto& [name, address] : addresses) {
    const Subnet* subnet = subnet_of(held.network, address);
    if (subnet == nullptr) continue;
    TRY(auto lease, context_.ipam.find_lease(subnet->subnet, address));
    if (!lease || lease->use != AddressUse::kEndpoint || !is_runtimes_own(*lease)) continue;
    lease->owner = fmt::format("{}reserved {}", kRuntimesOwn, name);
    lease->use = AddressUse::kReserved;
    lease->boot_id.clear();
    state::Txn txn{.durability = state::Durability::kDurable};
    Ipam::rewrite_plan(subnet->subnet, *lease).add_to(txn);
    TRY_STATUS(context_.commit(std::move(txn)));
  }
  return {};
}

}  // namespace fairlead::network
