#include "network/service/addresses.h"

#include <algorithm>
#include <map>

#include "base/hash.h"
#include "base/log.h"
#include "network/service/address_choice.h"

namespace fairlead::network {

namespace {

constexpr unsigned kMostExtensions = 2;

tl::unexpected<Error> no_cluster(const NetworkName& network) {
  return fail(Code::kUnavailable,
              "network {} is shared by several hosts, and only fairleadd speaks to the others: "
              "start it, with \"cluster\" in fairlead.json",
              network.str());
}

}  // namespace

bool is_runtimes_own(const LeaseRecord& lease) { return lease.owner.starts_with(kRuntimesOwn); }

std::string runtimes_own() { return fmt::format("{}{}", kRuntimesOwn, random_hex(8)); }

bool is_called(const EndpointSpec& spec, const std::string& name) {
  return spec.container == name || spec.names.name == name ||
         std::ranges::find(spec.known_as, name) != spec.known_as.end();
}

const Subnet* subnet_of(const Network& network, const IpAddress& address) {
  const auto found = std::ranges::find_if(
      network.subnets, [&](const Subnet& subnet) { return subnet.subnet.contains(address); });
  return found == network.subnets.end() ? nullptr : &*found;
}

// The subnets that this host uses for other purposes. Pools without a network are left out, because
// a runtime may have requested such a pool in order to make this very network.
Result<std::vector<Cidr>> Addresses::occupied_here() {
  TRY(auto occupied, context_.parts.links.host_routing().occupied_subnets());
  TRY(const auto pools, context_.ipam.list_pools());
  for (const PoolRecord& pool : pools)
    if (!pool.network.empty()) occupied.push_back(pool.subnet);
  return occupied;
}

// An address is kept for the container, and not for each of its interfaces: another one that it has on
// the network has the address already.
Result<std::vector<Reservation>> Addresses::kept_for(const Network& network,
                                                     const EndpointSpec& spec) {
  std::vector<Reservation> kept;
  for (const Reservation& each : network.reservations) {
    if (!is_called(spec, each.container)) continue;
    const bool asked = std::ranges::any_of(spec.addresses, [&](const Cidr& address) {
      return address.family() == each.address.family();
    });
    const Subnet* subnet = subnet_of(network, each.address);
    if (asked || subnet == nullptr) continue;
    TRY(const auto lease, context_.ipam.find_lease(subnet->subnet, each.address));
    if (lease && !lease->owner.empty() && lease->owner != spec.id && !is_runtimes_own(*lease)) {
      TRY(const auto other, context_.records.endpoint(network.id, lease->owner));
      if (other && other->value.container == spec.container) continue;
    }
    kept.push_back(each);
  }
  return kept;
}

Result<std::vector<Cidr>> Addresses::lease(const Network& network, const EndpointSpec& spec,
                                           unsigned attempt, state::Txn& txn) {
  std::vector<AddressWish> wishes;
  if (network.reservations.empty()) {
    TRY(wishes, address_wishes(network, spec));
  } else {
    EndpointSpec with_kept = spec;
    TRY(const auto kept, kept_for(network, spec));
    for (const Reservation& each : kept)
      with_kept.addresses.push_back(Cidr::of(each.address, each.address.is_v4() ? 32 : 128));
    TRY(wishes, address_wishes(network, with_kept));
  }
  std::vector<Cidr> addresses;
  for (const AddressWish& wish : wishes) {
    TRY(const auto claim, plan_wish(network, spec, wish, attempt, txn));
    claim.change.add_to(txn);
    addresses.push_back(claim.address);
  }
  return addresses;
}

// The name under which the address is kept for this container; empty: it is not.
std::string kept_name(const Network& network, const EndpointSpec& spec,
                      const std::optional<IpAddress>& address) {
  for (const Reservation& each : network.reservations)
    if (each.address == address && is_called(spec, each.container)) return each.container;
  return {};
}

// In the first of its places that has an address free. The error is that of the last place, and names
// the others too.
Result<Claim> Addresses::plan_wish(const Network& network, const EndpointSpec& spec,
                                   const AddressWish& wish, unsigned attempt, state::Txn& txn) {
  std::string full;
  for (const AddressPlace& place : wish.places) {
    auto claim = plan_address(network, place.subnet,
                              {.owner = spec.id,
                               .wanted = wish.wanted,
                               .ranges = place.ranges,
                               .since = context_.parts.unix_time(),
                               .reserved_for = kept_name(network, spec, wish.wanted)},
                              attempt, txn);
    if (claim || claim.error().code != Code::kExhausted) return claim;
    if (&place == &wish.places.back() && full.empty()) return claim;
    full += (full.empty() ? "" : ", ") + place.subnet.to_string();
  }
  return fail(Code::kExhausted,
              "no address of {} is free; remove containers that are not needed or use a network "
              "with a larger subnet",
              full);
}

Result<Claim> Addresses::plan_address(const Network& network, const Cidr& subnet,
                                      AddressRequest request, unsigned attempt, state::Txn& txn) {
  if (!network.overlay) return plan_here(network, subnet, request, attempt);
  if (context_.parts.cluster == nullptr) return no_cluster(network.name);
  if (!request.ranges.empty())
    return fail(Code::kUnsupported,
                "ranges of addresses are not for networks over several hosts: each host gives out "
                "its own part of {}",
                subnet.to_string());
  for (unsigned extensions = 0;; ++extensions) {
    auto claim = plan_offered(network, subnet, request, attempt, txn);
    const bool full = !claim && claim.error().code == Code::kExhausted && !request.wanted;
    if (!full || extensions >= kMostExtensions) return claim;
    TRY_STATUS(context_.parts.cluster->addresses().extend(network.id, subnet.family()));
  }
}

// Plans one of the addresses that this host may give out, on the condition that it still may when
// the lease is committed.
Result<Claim> Addresses::plan_offered(const Network& network, const Cidr& subnet,
                                      AddressRequest request, unsigned attempt, state::Txn& txn) {
  TRY(auto offer, context_.parts.cluster->addresses().offer({.network_id = network.id,
                                                             .endpoint_id = request.owner,
                                                             .family = subnet.family(),
                                                             .wanted = request.wanted}));
  if (offer.exact)
    request.wanted = offer.exact;
  else
    request.ranges = std::move(offer.ranges);
  TRY(auto claim, plan_here(network, subnet, request, attempt));
  for (const cluster::LocalGuard& guard : offer.guards) {
    const bool known = std::ranges::any_of(
        txn.preconditions, [&](const auto& present) { return present.key == guard.key; });
    if (!known) txn.preconditions.push_back({guard.key, guard.revision});
  }
  return claim;
}

// Like Ipam::plan(), but kExists names the endpoint that has the address.
Result<Claim> Addresses::plan_here(const Network& network, const Cidr& subnet,
                                   const AddressRequest& request, unsigned attempt) {
  auto claim = context_.ipam.plan(subnet, request, attempt);
  if (claim || !request.wanted) return claim;
  return fail(explained(network, subnet, *request.wanted, std::move(claim).error()));
}

Error Addresses::explained(const Network& network, const Cidr& pool, const IpAddress& address,
                           Error error) {
  if (error.code != Code::kExists) return error;
  const std::string holder = holder_of(network, pool, address);
  if (holder.empty()) return error;
  return {Code::kExists, 0,
          fmt::format("address {} of {} is taken by {}", address.to_string(), pool.to_string(),
                      holder)};
}

Result<Cidr> Addresses::allocate(const Network& network, const Cidr& subnet,
                                 const AddressRequest& request) {
  for (unsigned attempt = 0;; ++attempt) {
    state::Txn txn;
    TRY(const auto claim, plan_address(network, subnet, request, attempt, txn));
    claim.change.add_to(txn);
    const Status done = context_.commit(std::move(txn));
    if (done) return claim.address;
    if (done.error().code != Code::kConflict || attempt >= kMostAttempts) return fail(done.error());
  }
}

// Gives single addresses back to the cluster. Addresses of blocks stay with this host.
void Addresses::give_back(const Network& network, std::span<const Cidr> addresses) {
  if (!network.overlay || context_.parts.cluster == nullptr) return;
  for (const Cidr& address : addresses)
    if (auto given = context_.parts.cluster->addresses().give_back(network.id, address.address());
        !given)
      log::warn("give back an address", {{"error", given.error().text}});
}

// ---- in one transaction with the endpoint's record

Change Addresses::pass_on(const Cidr& pool, LeaseRecord lease, std::string owner) const {
  lease.owner = std::move(owner);
  lease.since = context_.parts.unix_time();
  return Ipam::rewrite_plan(pool, lease);
}

Status Addresses::take_over_leases(const Network& network, const Endpoint& endpoint,
                                   unsigned attempt, state::Txn& txn) {
  if (network.address_source != AddressSource::kFairlead) return {};
  for (const Cidr& address : endpoint.addresses) {
    const Subnet* subnet = subnet_of(network, address.address());
    if (subnet == nullptr) continue;
    TRY(const auto lease, context_.ipam.find_lease(subnet->subnet, address.address()));
    const bool runtimes = endpoint.address_source == AddressSource::kRuntime;
    if (runtimes && lease && lease->use == AddressUse::kEndpoint && is_runtimes_own(*lease)) {
      pass_on(subnet->subnet, *lease, endpoint.id).add_to(txn);
      continue;
    }
    const EndpointSpec container{.container = endpoint.container, .names = endpoint.names};
    TRY(const auto claim,
        plan_address(network, subnet->subnet,
                     {.owner = endpoint.id,
                      .wanted = address.address(),
                      .since = context_.parts.unix_time(),
                      .reserved_for = runtimes ? std::string(kAnyReservation)
                                               : kept_name(network, container, address.address())},
                     attempt, txn));
    claim.change.add_to(txn);
  }
  return {};
}

Result<std::vector<Cidr>> Addresses::give_up_leases(const Network& network,
                                                    const Endpoint& endpoint, Fate fate,
                                                    state::Txn& txn) {
  std::vector<Cidr> freed;
  const bool runtimes = endpoint.address_source == AddressSource::kRuntime;
  if (runtimes && network.address_source == AddressSource::kRuntime) return freed;
  if (network.address_source == AddressSource::kPlugin) return freed;
  for (const Cidr& address : endpoint.addresses) {
    // Not by the address's own prefix length, which is 32 or 128 where each container is alone, and
    // another one where another program gave it.
    const Subnet* subnet = subnet_of(network, address.address());
    const Cidr pool = subnet != nullptr ? subnet->subnet : address.network();
    if (runtimes && fate == Fate::kRemoved) {
      TRY(const auto lease, context_.ipam.find_lease(pool, address.address()));
      if (!lease || lease->use != AddressUse::kEndpoint) continue;
      if (lease->owner == endpoint.id || is_runtimes_own(*lease))
        pass_on(pool, *lease, runtimes_own()).add_to(txn);
      continue;
    }
    TRY(const auto change, context_.ipam.release_plan(pool, address.address(), endpoint.id));
    if (change.empty()) continue;
    change.add_to(txn);
    freed.push_back(address);
  }
  return freed;
}

// ---- strays

// A time in the future counts as old, because the clock may have been set back.
bool Addresses::is_old(long long since) const {
  const long long now = context_.parts.unix_time();
  return since > now || now - since > kMoveTime;
}

// The leases are listed before the endpoints, so that each listed lease has its endpoint by then,
// unless the endpoint was removed meanwhile.
Result<Addresses::Strays> Addresses::stray_leases(const Network& network) {
  Strays strays;
  if (network.address_source != AddressSource::kFairlead) return strays;
  std::vector<PoolLease> leases;
  for (const Subnet& subnet : network.subnets) {
    TRY(auto found, context_.ipam.list_leases(subnet.subnet));
    for (LeaseRecord& lease : found)
      if (lease.use == AddressUse::kEndpoint) leases.push_back({subnet.subnet, std::move(lease)});
  }
  TRY(const auto endpoints, context_.records.endpoints(network.id));
  // By address; those that have its lease are taken out.
  std::multimap<IpAddress, const Endpoint*> holders;
  for (const Endpoint& endpoint : endpoints)
    for (const Cidr& address : endpoint.addresses) holders.emplace(address.address(), &endpoint);
  for (PoolLease& each : leases) {
    const auto [first, last] = holders.equal_range(each.lease.address);
    const auto owner = std::find_if(
        first, last, [&](const auto& holder) { return holder.second->id == each.lease.owner; });
    if (owner != last) {
      holders.erase(owner);
      continue;
    }
    const bool fresh =
        !is_old(each.lease.since);  // it may be about to become the holder's, or to go
    if (first != last && is_runtimes_own(each.lease) && each.lease.since == 0)
      strays.of_endpoints.push_back({each, first->second->id});
    else if (!fresh)
      strays.nobodys.push_back(each);
    if (first != last && (fresh || each.lease.since == 0)) holders.erase(first);
  }
  for (const auto& [address, endpoint] : holders)
    if (const Subnet* subnet = subnet_of(network, address);
        subnet != nullptr && has_leases(*endpoint))
      strays.lost.push_back({subnet->subnet, address, endpoint->id});
  return strays;
}

// Others are about to get their addresses or to lose them, or are void.
bool Addresses::has_leases(const Endpoint& endpoint) const {
  return endpoint.phase == Phase::kReady && endpoint.boot_id == context_.parts.boot_id;
}

Status Addresses::regain(const Network& network, const Lost& lost) {
  return status_of(allocate(network, lost.pool,
                            {.owner = lost.endpoint_id,
                             .wanted = lost.address,
                             .since = context_.parts.unix_time(),
                             .reserved_for = std::string(kAnyReservation)}));
}

// ---- for people

std::string Addresses::holder_of(const Network& network, const Cidr& pool,
                                 const IpAddress& address) {
  const auto lease = context_.ipam.find_lease(pool, address);
  if (!lease || !*lease || (*lease)->use != AddressUse::kEndpoint) return {};
  if (is_runtimes_own(**lease)) return "Docker, for a container that is starting or has just gone";
  return context_.records.describe(network.id, (*lease)->owner);
}

}  // namespace fairlead::network
