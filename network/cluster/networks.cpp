#include "network/cluster/networks.h"

#include <algorithm>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/state/txn.h"
#include "network/api/subnet_specs.h"
#include "network/cluster/keys.h"
#include "network/ipam/subnets.h"

namespace fairlead::network::cluster {

namespace {

// A /31 and a /127 have no address for a second host's containers.
Status refuse_tiny_subnets(const std::vector<SubnetSpec>& subnets) {
  for (const SubnetSpec& each : subnets)
    if (each.subnet && each.subnet->size() <= 2)
      return fail(Code::kInvalid, "subnet {} is too small for containers on several hosts",
                  each.subnet->to_string());
  return {};
}

constexpr unsigned kMostAttempts = 32;
constexpr unsigned kMostProbes = 1024;
constexpr unsigned kLengthV4 = 20, kLengthV6 = 64;  // of a chosen subnet, large enough for blocks

struct Pools {
  std::int64_t guard_revision = state::kAbsent;
  std::vector<Cidr> subnets;
  std::vector<SharedPool> holders;
};

// The guard is read first. A pool that is committed after that, and so may be missing in the list,
// changes the guard, and the commit conflicts.
Result<Pools> read_pools(state::Store& shared) {
  Pools pools;
  TRY(const auto guard, shared.get(keys::kPoolGuard));
  if (guard) pools.guard_revision = guard->revision;
  TRY(const auto records, shared.list(keys::kPools));
  for (const state::Record& record : records) {
    const auto subnet = keys::subnet_of_pool(record.key);
    if (!subnet) continue;  // Membership::unreadable names it
    // A subnet whose record cannot be read is taken nevertheless.
    auto holder = decode<SharedPool>(record).value_or(SharedPool{.network_id = {}, .name = "?"});
    pools.subnets.push_back(*subnet);
    pools.holders.push_back(std::move(holder));
  }
  return pools;
}

Status check_free(const Cidr& subnet, const Pools& pools, const std::vector<Cidr>& occupied) {
  for (std::size_t i = 0; i < pools.subnets.size(); ++i)
    if (pools.subnets[i].overlaps(subnet))
      return fail(Code::kExists,
                  "subnet {} overlaps {}, the subnet of network {}; choose another one",
                  subnet.to_string(), pools.subnets[i].to_string(), pools.holders[i].name);
  for (const Cidr& other : occupied)
    if (subnet.contains(other))
      return fail(Code::kExists,
                  "subnet {} is in use on this host: it has {} already; choose another one",
                  subnet.to_string(), other.to_string());
  return {};
}

Result<Cidr> choose(Family family, const ClusterMeta& meta, std::vector<Cidr> taken) {
  const bool v4 = family == Family::kV4;
  const std::vector<Cidr> bases = v4 ? meta.pools : std::vector<Cidr>{ula_prefix(meta.uuid)};
  for (const Cidr& base : bases)
    if (base.family() == family)
      if (const auto found = first_free_subnet(base, v4 ? kLengthV4 : kLengthV6, taken))
        return *found;
  return fail(Code::kExhausted,
              "no free IPv{} subnet is left in the cluster's pools; remove networks that are not "
              "needed, or give the network a subnet",
              static_cast<int>(family));
}

Status check_occupied(const SharedNetwork& network, const std::vector<Cidr>& occupied) {
  for (const Subnet& subnet : network.subnets)
    for (const Cidr& other : occupied)
      if (subnet.subnet.contains(other))
        return fail(Code::kExists,
                    "its subnet {} is in use on this host, which has {} already; remove that here, "
                    "or use another network",
                    subnet.subnet.to_string(), other.to_string());
  return {};
}

// What belongs to one network alone must be recorded as this one's: its name, VNI and subnets. The
// record of a network that a host has made is written together with these.
Error not_its_own(std::string_view what, std::string_view whose) {
  return {Code::kConflict, 0,
          fmt::format("its record in the cluster names {}, which is {}; nothing was changed here",
                      what, whose)};
}

}  // namespace

Status StoreNetworks::check_owned(const SharedNetwork& network) const {
  TRY(const auto named, shared_.get(keys::network_name(network.name.str())));
  if (const auto id = named ? decode_id(*named) : Result<std::string>(std::string());
      id != network.id)
    return fail(not_its_own(fmt::format("{}", network.name.str()), "the name of another network"));
  TRY(const auto vni, shared_.get(keys::vni(network.vni)));
  const auto holder = vni ? decode<VniRecord>(*vni) : Result<VniRecord>(VniRecord{});
  if (!holder || holder->network_id != network.id) {
    const bool is_named = holder && !holder->network_id.empty();
    return fail(not_its_own(fmt::format("VNI {}", network.vni),
                            is_named ? fmt::format("network {}'s", name_of(holder->network_id))
                                     : std::string("not recorded as its own")));
  }
  TRY(const auto pools, read_pools(shared_));
  for (const Subnet& subnet : network.subnets) {
    bool is_recorded = false;
    for (std::size_t i = 0; i < pools.subnets.size(); ++i) {
      const SharedPool& other = pools.holders[i];
      if (other.network_id == network.id) is_recorded |= pools.subnets[i] == subnet.subnet;
      if (other.network_id != network.id && pools.subnets[i].overlaps(subnet.subnet))
        return fail(not_its_own(
            subnet.subnet.to_string(),
            fmt::format("in {}, network {}'s", pools.subnets[i].to_string(), other.name)));
    }
    if (!is_recorded)
      return fail(not_its_own(subnet.subnet.to_string(), "not recorded as its own"));
  }
  return {};
}

std::string StoreNetworks::name_of(const std::string& network_id) const {
  const auto network = read<NetworkRecord>(shared_, keys::network(network_id));
  return network && *network ? (*network)->value.network.name.str() : network_id.substr(0, 12);
}

Result<std::optional<StoreNetworks::StoredNetwork>> StoreNetworks::find(std::string_view network) {
  std::string id(network);
  if (NetworkName::parse(network)) {
    TRY(const auto named, shared_.get(keys::network_name(network)));
    if (named) {
      TRY(id, decode_id(*named));
    }
  }
  const std::string key = keys::network(id);
  if (!state::is_key(key)) return std::optional<StoredNetwork>();
  return read<NetworkRecord>(shared_, key);
}

Result<SharedNetwork> StoreNetworks::create_or_join(const NetworkSpec& spec,
                                                    const std::vector<Cidr>& occupied) {
  const std::scoped_lock hold(joining_);
  auto network = find_or_create(spec, occupied);
  if (network) making_.insert(network->id);
  return network;
}

Result<SharedNetwork> StoreNetworks::find_or_create(const NetworkSpec& spec,
                                                    const std::vector<Cidr>& occupied) {
  TRY_STATUS(validate_subnets(wanted_subnets(spec)));
  TRY_STATUS(refuse_several_subnets(spec.subnets, kOneSubnet));
  TRY_STATUS(refuse_tiny_subnets(spec.subnets));
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(const auto present, find(spec.name.str()));
    if (present && present->value.phase == NetworkPhase::kDeleting) {
      const auto ended = end_removal(*present);
      if (!ended && ended.error().code != Code::kInUse && ended.error().code != Code::kConflict)
        return fail(ended.error());
      continue;
    }
    if (present) TRY_STATUS(check_fits(present->value.network, spec, occupied));
    auto made = present ? joined(*present) : create(spec, occupied);
    if (made || made.error().code != Code::kConflict) return made;
  }
  return fail(Code::kUnavailable, "too many hosts change networks at once; try again");
}

Status StoreNetworks::check_fits(const SharedNetwork& network, const NetworkSpec& spec,
                                 const std::vector<Cidr>& occupied) const {
  if (network.name != spec.name)
    return fail(not_its_own(spec.name.str(), fmt::format("network {}", network.name.str())));
  if (const std::string other = difference(network, spec); !other.empty())
    return fail(Code::kConflict,
                "a network of that name exists, and {}; `fairlead network inspect {}` shows it",
                other, network.name.str());
  TRY_STATUS(check_owned(network));
  TRY_STATUS(check_occupied(network, occupied));
  return check_underlay(network);
}

// Joins the network, if this host has not joined it yet. kConflict when the network is being
// removed, or this host was removed.
Result<SharedNetwork> StoreNetworks::joined(const StoredNetwork& stored) {
  const SharedNetwork& network = stored.value.network;
  const std::string key = keys::joined(network.id, fence_.host_id());
  TRY(const auto noted, shared_.get(key));
  if (noted) return network;
  TRY(auto member, fence_.of_record());
  state::Txn txn{.preconditions = std::move(member),
                 .puts = {{key, encode_id(fence_.host_id())}},
                 .durability = state::Durability::kDurable};
  txn.preconditions.push_back({keys::network(network.id), stored.revision});
  txn.preconditions.push_back({key, state::kAbsent});
  TRY_STATUS(shared_.commit(txn));
  return network;
}

Status StoreNetworks::check_underlay(const SharedNetwork& network) const {
  const bool encrypted = is_encrypted(network);
  if (encrypted) TRY_STATUS(check_wireguard());
  const unsigned overhead = tunnel_overhead(info_.vtep.family(), encrypted);
  const unsigned needed = network.mtu + overhead;
  if (info_.underlay_mtu >= needed) return {};
  return fail(Code::kUnsupported,
              "its MTU is {}, and needs {} on the network between the hosts, where this host has "
              "{}; raise that, or make a network with -o mtu={}",
              network.mtu, needed, info_.underlay_mtu, info_.underlay_mtu - overhead);
}

// A host that cannot encrypt cannot join an encrypted network; nothing is sent unencrypted.
Status StoreNetworks::check_wireguard() const {
  if (info_.wireguard) return {};
  return fail(Code::kUnsupported,
              "it is encrypted, and the kernel of this host has no WireGuard: load the module "
              "(modprobe wireguard) and start fairleadd again, or leave out -o encrypted");
}

Result<SharedNetwork> StoreNetworks::create(const NetworkSpec& spec,
                                            const std::vector<Cidr>& occupied) {
  SharedNetwork network{.id = spec.id.empty() ? random_hex(64) : spec.id,
                        .name = spec.name,
                        .options = shared_options(spec.options),
                        .internal = spec.internal,
                        .created = fence_.clock().unix_time()};
  const std::string key = keys::network(network.id);
  const std::string name_key = keys::network_name(network.name.str());
  TRY(const auto same_id, read<NetworkRecord>(shared_, key));
  if (same_id && same_id->value.network.name != spec.name)
    return fail(Code::kExists, "its id {} belongs to network {}", network.id.substr(0, 12),
                same_id->value.network.name.str());
  if (spec.options.encrypted) TRY_STATUS(check_wireguard());
  TRY(network.mtu, give_mtu(spec));
  TRY(auto member, fence_.of_record());
  state::Txn txn{.preconditions = std::move(member), .durability = state::Durability::kDurable};
  TRY_STATUS(give_subnets(spec, occupied, network, txn));
  TRY_STATUS(give_vni(network, txn));
  txn.preconditions.push_back({key, state::kAbsent});
  txn.preconditions.push_back({name_key, state::kAbsent});
  txn.puts.push_back({key, encode(NetworkRecord{network})});
  txn.puts.push_back({name_key, encode_id(network.id)});
  txn.puts.push_back({keys::joined(network.id, fence_.host_id()), encode_id(fence_.host_id())});
  TRY_STATUS(shared_.commit(txn));
  log::info("cluster.network.created", {{"name", network.name.str()}, {"vni", network.vni}});
  return network;
}

Status StoreNetworks::give_subnets(const NetworkSpec& spec, const std::vector<Cidr>& occupied,
                                   SharedNetwork& network, state::Txn& txn) {
  TRY(const auto meta, read<ClusterMeta>(shared_, keys::kMeta));
  if (!meta) return fail(Code::kUnavailable, "this host has not joined the cluster yet");
  TRY(const auto pools, read_pools(shared_));
  std::vector<Cidr> taken = pools.subnets;
  taken.insert(taken.end(), occupied.begin(), occupied.end());
  for (const SubnetSpec& wanted : wanted_subnets(spec)) {
    Subnet subnet{.gateway = wanted.gateway, .aux = wanted.aux};
    if (wanted.range) subnet.range = wanted.range->network();
    if (wanted.subnet) {
      TRY_STATUS(check_free(*wanted.subnet, pools, occupied));
      subnet.subnet = *wanted.subnet;
    } else {
      TRY(subnet.subnet, choose(wanted.family, meta->value, taken));
    }
    if (!subnet.gateway) subnet.gateway = default_gateway(subnet.subnet);
    subnet.pool_id = subnet.subnet.to_string();
    const std::string key = keys::pool(subnet.subnet);
    txn.preconditions.push_back({key, state::kAbsent});
    txn.puts.push_back({key, encode(SharedPool{network.id, network.name.str()})});
    network.subnets.push_back(std::move(subnet));
  }
  txn.preconditions.push_back({std::string(keys::kPoolGuard), pools.guard_revision});
  txn.puts.push_back({std::string(keys::kPoolGuard), encode_last(network.subnets.back().pool_id)});
  return {};
}

Status StoreNetworks::give_vni(SharedNetwork& network, state::Txn& txn) {
  VniProbe probe(network.id);
  for (unsigned tries = 0; tries < kMostProbes; ++tries, probe.next()) {
    const std::string key = keys::vni(probe.current());
    TRY(const auto record, shared_.get(key));
    std::optional<Stored<VniRecord>> holder;
    if (record) {
      const auto read = decode<VniRecord>(*record);
      if (!read) continue;  // taken, by whomever
      holder = {*read, record->revision};
    }
    const bool free = !holder || (holder->value.network_id.empty() &&
                                  holder->value.free_after <= fence_.clock().unix_time());
    if (!free) continue;
    network.vni = probe.current();
    txn.preconditions.push_back({key, holder ? holder->revision : state::kAbsent});
    txn.puts.push_back({key, encode(VniRecord{.network_id = network.id})});
    return {};
  }
  return fail(Code::kExhausted, "no free VNI was found in {} tries", kMostProbes);
}

// The smallest underlay MTU of all members counts. A host that joins later must not have a smaller
// one.
Result<unsigned> StoreNetworks::give_mtu(const NetworkSpec& spec) {
  const bool encrypted = spec.options.encrypted;
  const auto inside = [&](const HostInfo& info) {
    const unsigned overhead = tunnel_overhead(info.vtep.family(), encrypted);
    return info.underlay_mtu - std::min(info.underlay_mtu, overhead);
  };
  unsigned most = inside(info_);
  std::string narrowest = info_.name;
  TRY(const auto records, shared_.list(keys::kHosts));
  for (const state::Record& record : records) {
    const auto host = decode<HostRecord>(record);
    if (!host) continue;  // no host sends packets to it
    const bool can_join = host->phase == HostPhase::kMember && (!encrypted || host->info.wireguard);
    if (!can_join || inside(host->info) >= most) continue;
    most = inside(host->info);
    narrowest = host->info.name;
  }
  if (!spec.options.mtu) return most;
  if (*spec.options.mtu <= most) return *spec.options.mtu;
  return fail(Code::kInvalid,
              "an MTU of {} does not fit through the tunnels: host {} takes {} at most",
              *spec.options.mtu, narrowest, most);
}

Result<Cidr> StoreNetworks::free_subnet(Family family, const std::vector<Cidr>& occupied) {
  TRY(const auto meta, read<ClusterMeta>(shared_, keys::kMeta));
  if (!meta) return fail(Code::kUnavailable, "this host has not joined the cluster yet");
  TRY(const auto pools, read_pools(shared_));
  std::vector<Cidr> taken = pools.subnets;
  taken.insert(taken.end(), occupied.begin(), occupied.end());
  return choose(family, meta->value, taken);
}

Result<SharedNetwork> StoreNetworks::inspect(std::string_view network) {
  TRY(const auto found, find(network));
  if (found) return found->value.network;
  return fail(Code::kNotFound, "there is no network {} in the cluster", network);
}

Result<std::vector<SharedNetwork>> StoreNetworks::list() {
  TRY(const auto records, shared_.list(keys::kNetworks));
  std::vector<SharedNetwork> networks;
  for (const state::Record& record : records) {
    auto network = decode<NetworkRecord>(record);
    if (network) networks.push_back(std::move(network->network));
  }
  std::ranges::sort(networks, {}, &SharedNetwork::name);
  return networks;
}

}  // namespace fairlead::network::cluster
