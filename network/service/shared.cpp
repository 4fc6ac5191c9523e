// Networks over several hosts: the service's calls to the cluster.
#include <algorithm>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "network/api/options.h"
#include "network/service/keys.h"
#include "network/service/service_impl.h"

namespace fairlead::network {

namespace {

constexpr unsigned kMostExtensions = 2;

tl::unexpected<Error> no_cluster(const NetworkName& network) {
  return fail(Code::kUnavailable,
              "network {} is shared by several hosts, and only fairleadd speaks to the others: "
              "start it, with \"cluster\" in fairlead.json",
              network.str());
}

SubnetSpec spec_of(const Subnet& subnet) {
  return {.family = subnet.subnet.family(),
          .subnet = subnet.subnet,
          .range = subnet.range,
          .gateway = subnet.gateway,
          .aux = subnet.aux};
}

const Subnet* find_subnet(const std::vector<Subnet>& subnets, Family family) {
  const auto found = std::ranges::find_if(
      subnets, [&](const Subnet& subnet) { return subnet.subnet.family() == family; });
  return found == subnets.end() ? nullptr : &*found;
}

}  // namespace

// The subnets that this host uses for other purposes. Pools without a network are left out, because
// a runtime may have requested such a pool in order to make this very network.
Result<std::vector<Cidr>> ServiceImpl::occupied_here() {
  TRY(auto occupied, parts_.links.occupied_subnets());
  TRY(const auto pools, ipam_.list_pools());
  for (const PoolRecord& pool : pools)
    if (!pool.network.empty()) occupied.push_back(pool.subnet);
  return occupied;
}

Result<Network> ServiceImpl::create_shared(const NetworkSpec& spec) {
  if (parts_.cluster == nullptr)
    return fail(Code::kUnsupported,
                "mode \"overlay\" is for networks over several hosts, and this host knows of no "
                "others: name the members of etcd under \"cluster\" in fairlead.json, start "
                "fairleadd again, or use mode \"bridge\"");
  if (spec.address_source == AddressSource::kRuntime)
    return fail(Code::kUnsupported,
                "the addresses of a network over several hosts come from Fairlead, because the "
                "runtime's own allocator knows of this host only; this works: docker network "
                "create -d fairlead --ipam-driver fairlead --ipam-opt network={0} -o mode=overlay "
                "-o network={0} {0}",
                spec.name.str());
  for (const SubnetSpec& subnet : spec.subnets) TRY_STATUS(check_routes(subnet));
  TRY(const auto occupied, occupied_here());
  TRY(const auto shared, parts_.cluster->networks().create_or_join(spec, occupied));
  fault_point("network.create.shared");
  NetworkSpec all = spec;
  all.id = shared.id;
  all.internal = shared.internal;
  all.overlay = parts_.cluster->params_of(shared);
  all.subnets.clear();
  std::ranges::transform(shared.subnets, std::back_inserter(all.subnets), spec_of);
  auto created = begin_network(all);
  if (created) return created;
  if (auto left = parts_.cluster->networks().leave(shared.id); !left)
    log::warn("undo: join network", {{"error", left.error().text}});
  return created;
}

// Docker requests the pool before it names the properties of the network, which may exist in the
// cluster or not. When two hosts make the network at the same time, one of them is told to try
// again.
Result<Pool> ServiceImpl::request_shared_pool(const PoolRequest& request) {
  const Family family = request.subnet ? request.subnet->family() : request.family;
  const std::string& name = request.join->str();
  NewPool wanted{.subnet = request.subnet, .family = family, .range = request.range, .owner = name};
  const auto shared = parts_.cluster->networks().inspect(name);
  if (!shared && shared.error().code != Code::kNotFound) return fail(shared.error());
  if (shared) {
    const Subnet* subnet = find_subnet(shared->subnets, family);
    if (subnet == nullptr) return no_subnet(*request.join, family);
    if (request.subnet && *request.subnet != subnet->subnet)
      return fail(Code::kConflict, "network {} has the subnet {}, not {}", name,
                  subnet->subnet.to_string(), request.subnet->to_string());
    wanted.subnet = subnet->subnet;
    wanted.range = subnet->range;
    wanted.gateway = subnet->gateway;
  } else if (!wanted.subnet) {
    TRY(const auto occupied, occupied_here());
    TRY(wanted.subnet, parts_.cluster->networks().free_subnet(family, occupied));
  }
  TRY(const auto pool, ipam_.create_pool(wanted));
  return Pool{pool.subnet.to_string(), pool.subnet, pool.range, wanted.gateway};
}

// ---- addresses

Result<Claim> ServiceImpl::plan_address(const Network& network, const Cidr& subnet,
                                        AddressRequest request, unsigned attempt, state::Txn& txn) {
  if (!network.overlay) return plan_here(network, subnet, request, attempt);
  if (parts_.cluster == nullptr) return no_cluster(network.name);
  if (!request.ranges.empty())
    return fail(Code::kUnsupported,
                "ranges of addresses are not for networks over several hosts: each host gives out "
                "its own part of {}",
                subnet.to_string());
  for (unsigned extensions = 0;; ++extensions) {
    auto claim = plan_offered(network, subnet, request, attempt, txn);
    const bool full = !claim && claim.error().code == Code::kExhausted && !request.wanted;
    if (!full || extensions >= kMostExtensions) return claim;
    TRY_STATUS(parts_.cluster->addresses().extend(network.id, subnet.family()));
  }
}

// Plans one of the addresses that this host may give out, on the condition that it still may when
// the lease is committed.
Result<Claim> ServiceImpl::plan_offered(const Network& network, const Cidr& subnet,
                                        AddressRequest request, unsigned attempt, state::Txn& txn) {
  TRY(auto offer, parts_.cluster->addresses().offer({.network_id = network.id,
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
Result<Claim> ServiceImpl::plan_here(const Network& network, const Cidr& subnet,
                                     const AddressRequest& request, unsigned attempt) {
  auto claim = ipam_.plan(subnet, request, attempt);
  if (claim || claim.error().code != Code::kExists || !request.wanted) return claim;
  const std::string holder = holder_of(network, subnet, *request.wanted);
  if (holder.empty()) return claim;
  return fail(Code::kExists, "address {} of {} is taken by {}", request.wanted->to_string(),
              subnet.to_string(), holder);
}

Result<Cidr> ServiceImpl::allocate(const Network& network, const Cidr& subnet,
                                   const AddressRequest& request) {
  for (unsigned attempt = 0;; ++attempt) {
    state::Txn txn;
    TRY(const auto claim, plan_address(network, subnet, request, attempt, txn));
    claim.change.add_to(txn);
    const Status done = commit(std::move(txn));
    if (done) return claim.address;
    if (done.error().code != Code::kConflict || attempt >= kMostAttempts) return fail(done.error());
  }
}

// Gives single addresses back to the cluster. Addresses of blocks stay with this host.
void ServiceImpl::give_back(const Network& network, std::span<const Cidr> addresses) {
  if (!network.overlay || parts_.cluster == nullptr) return;
  for (const Cidr& address : addresses)
    if (auto given = parts_.cluster->addresses().give_back(network.id, address.address()); !given)
      log::warn("give back an address", {{"error", given.error().text}});
}

Status ServiceImpl::guard_tunnels() {
  return change_underlay([](UnderlayRecord& record) { record.port = OverlayParams().port; });
}

Status ServiceImpl::guard_underlay(const std::vector<IpAddress>& hosts,
                                   const std::vector<IfName>& wireguard_links) {
  return change_underlay([&](UnderlayRecord& record) {
    record = {.hosts = hosts, .wireguard_links = wireguard_links, .port = OverlayParams().port};
  });
}

// The record is stored first, so that a process that renders the table from then on renders the
// change.
Status ServiceImpl::change_underlay(const std::function<void(UnderlayRecord&)>& change) {
  TRY(const auto guard, lock_underlay());
  TRY(const UnderlayRecord before, records_.underlay());
  UnderlayRecord after = before;
  change(after);
  if (before == after) return {};
  TRY_STATUS(commit({.puts = {{std::string(keys::kUnderlay), encode(after)}},
                     .durability = state::Durability::kDurable}));
  fault_point("network.underlay.recorded");
  return firewall_.change_underlay(before, after);
}

// Stores this host's present underlay address in the network's record, if it has changed since the
// network was made.
Status ServiceImpl::move_tunnel(Stored<Network>& stored) {
  Network& network = stored.value;
  if (!network.overlay || parts_.cluster == nullptr) return {};
  const OverlayParams now = parts_.cluster->params_of({.id = network.id,
                                                       .name = network.name,
                                                       .vni = network.overlay->vni,
                                                       .mtu = network.mtu,
                                                       .options = to_map(network.options)});
  if (now.local == network.overlay->local) return {};
  log::warn("tunnel moved", {{"network", network.name.str()},
                             {"from", network.overlay->local.to_string()},
                             {"to", now.local.to_string()}});
  network.overlay->local = now.local;
  return commit({.preconditions = {{keys::network(network.id), stored.revision}},
                 .puts = {{keys::network(network.id), encode(network)}},
                 .durability = state::Durability::kDurable});
}

}  // namespace fairlead::network
