#include "network/service/networks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/fault.h"
#include "base/hash.h"
#include "base/host.h"
#include "base/log.h"
#include "network/api/made_by.h"
#include "network/api/options.h"
#include "network/api/subnet_specs.h"
#include "network/service/addresses.h"
#include "network/service/keys.h"
#include "network/service/leases.h"

namespace fairlead::network {

namespace {

// A runtime's id becomes part of keys and of interface names. A name in the form of an id could be
// taken for one by people.
Status validate_identity(const NetworkSpec& spec) {
  if (!spec.id.empty() && !is_network_id(spec.id))
    return fail(Code::kInvalid, "a network's id must be 64 lower-case hex digits");
  if (is_network_id(spec.name.str()))
    return fail(Code::kInvalid, "64 hex digits are the form of an id; choose another name");
  return {};
}

// In words, the first difference between the existing network and what a repeated create asks for;
// empty when there is none.
std::string difference(const Network& network, const NetworkSpec& spec) {
  if (!spec.id.empty() && spec.id != network.id)
    return fmt::format("its id is {}", network.id.substr(0, 12));
  if (auto other = option_difference(to_map(network.options), to_map(spec.options)); !other.empty())
    return other;
  if (network.internal != spec.internal)
    return network.internal ? "it is internal" : "it is not internal";
  if (network.address_source != spec.address_source)
    return "its addresses come from another allocator";
  if (spec.overlay && network.overlay != spec.overlay)
    return "its VNI, its port or its address in the underlay is another one";
  for (const SubnetSpec& wanted : spec.subnets) {
    if (!wanted.subnet) continue;
    const auto match = std::ranges::find_if(
        network.subnets, [&](const Subnet& have) { return have.subnet == *wanted.subnet; });
    if (match == network.subnets.end())
      return fmt::format("it has no subnet {}", wanted.subnet->to_string());
    if (wanted.gateway && wanted.gateway != match->gateway)
      return fmt::format("its gateway is not {}", wanted.gateway->to_string());
    if (wanted.range && wanted.range != match->range)
      return fmt::format("its range is not {}", wanted.range->to_string());
  }
  if (spec.ipv6 && !network.has(Family::kV6)) return "it has no IPv6 subnet";
  for (const Reservation& each : spec.reservations)
    if (std::ranges::find(network.reservations, each) == network.reservations.end())
      return fmt::format("it does not keep {} for container {}", each.address.to_string(),
                         each.container);
  return {};
}

// The existing network, if it is as a repeated create asks for.
Result<Network> same_network(Network present, const NetworkSpec& spec) {
  const std::string other = difference(present, spec);
  if (other.empty()) return present;
  return fail(Code::kConflict,
              "create network {0}: a network of that name exists, and {1}; `fairlead network "
              "inspect {0}` shows it",
              spec.name.str(), other);
}

// The interface is named: its network, or the route through it, is what stands in the way.
tl::unexpected<Error> in_use(const Cidr& subnet, const kernel::HostRoute& route) {
  const std::string through = route.interface.empty()
                                  ? "a route of this host"
                                  : fmt::format("interface {} of this host", route.interface);
  return fail(Code::kExists, "subnet {} is in use on this host: {} {} {}; choose another one",
              subnet.to_string(), through, route.interface.empty() ? "leads to" : "has",
              route.destination.to_string());
}

SubnetSpec spec_of(const Subnet& subnet) {
  return {.family = subnet.subnet.family(),
          .subnet = subnet.subnet,
          .range = subnet.range,
          .gateway = subnet.gateway,
          .aux = subnet.aux};
}

Status check_egress(const NetworkOptions& options) {
  if (options.egress == Egress::kDeny || options.egress_allow.empty()) return {};
  return fail(Code::kInvalid, "option egress_allow has a meaning only with egress=deny");
}

}  // namespace

Result<std::optional<Network>> Networks::existing(const NetworkSpec& spec) {
  TRY(auto named, context_.records.id_at(keys::network_name(spec.name.str())));
  std::string id = named.value_or(spec.id);
  if (id.empty()) return std::optional<Network>();
  TRY(auto record, context_.parts.store.get(keys::network(id)));
  if (!record) return std::optional<Network>();
  TRY(auto network, decode_network(record->value));
  return std::optional(std::move(network));
}

Result<Network> Networks::create_network(const NetworkSpec& asked) {
  NetworkSpec spec = asked;
  TRY_STATUS(validate_identity(spec));
  TRY_STATUS(settle_families(spec));
  TRY_STATUS(validate_options(spec));
  // A network that is ready can be compared without the lock of all networks, for which each CNI
  // ADD would wait otherwise.
  TRY(auto present, existing(spec));
  if (present && present->phase == Phase::kReady) {
    auto same = same_network(*present, spec);
    if (same || !same_maker(*present, spec)) return same;
  }
  TRY(const auto guard, context_.lock_networks());
  TRY(present, existing(spec));
  if (present && present->phase == Phase::kReady) {
    auto same = same_network(*present, spec);
    if (same || !same_maker(*present, spec)) return same;
    TRY(const bool used, is_wanted(*present));
    if (used) return same;
    TRY_STATUS(remove_locked(NetworkId{present->id}));
    present.reset();
  }
  if (present) TRY_STATUS(removal_.purge_network(*present));  // a crash has left it unfinished
  const std::string what = fmt::format("create network {}", spec.name.str());
  TRY(const auto traits, context_.traits(spec.options));
  const bool shared = traits.scope == NetworkTraits::Scope::kCluster && !spec.overlay;
  auto created = shared ? create_shared(spec) : begin_network(spec);
  if (!created) return fail(with_context(created.error(), what));
  log::info("network created", {{"name", spec.name.str()},
                                {"id", created->id.substr(0, 12)},
                                {"mode", created->options.mode}});
  other_firewalls_.admit(nullptr);
  fault_point("network.create.firewalls");
  if (!created->internal) surroundings_.try_refresh();
  return created;
}

Result<Network> Networks::begin_network(const NetworkSpec& spec) {
  TRY_STATUS(context_.ownership.claim());
  TRY(Driver * driver, context_.driver_of(spec.options));
  TRY_STATUS(driver->validate(spec));
  TRY_STATUS(validate_subnets(wanted_subnets(spec)));
  TRY_STATUS(check_egress(spec.options));
  Network network{.id = spec.id.empty() ? random_hex(64) : spec.id,
                  .name = spec.name,
                  .options = spec.options,
                  .internal = spec.internal,
                  .address_source = spec.address_source,
                  .labels = spec.labels,
                  .created = context_.parts.unix_time(),
                  .overlay = spec.overlay,
                  .reservations = spec.reservations};
  TRY(const auto others, context_.records.networks());
  TRY(auto plan, driver->plan(network, others));
  network.links = std::move(plan.links);
  network.mtu = plan.mtu;
  TRY_STATUS(check_egress_holds(network));
  TRY_STATUS(
      context_.commit({.preconditions = {{keys::network(network.id), state::kAbsent},
                                         {keys::network_name(network.name.str()), state::kAbsent}},
                       .puts = {{keys::network(network.id), encode(network)},
                                {keys::network_name(network.name.str()), encode_id(network.id)}},
                       .durability = state::Durability::kDurable}));
  fault_point("network.create.intent");
  auto built = give_subnets(spec, network, *driver);
  if (built) built = build_network(network, *driver);
  if (built) return network;
  if (auto purged = removal_.purge_network(network); !purged)
    log::error("undo: create network", {{"error", purged.error().text}});
  return fail(built.error());
}

// Where packets leave on a way that the host does not see, nothing could keep them in.
Status Networks::check_egress_holds(const Network& network) const {
  if (network.options.egress == Egress::kAllow) return {};
  const FirewallLinks links = context_.firewall.links_of(network);
  if (links.interfaces.empty() && network.options.vlan)
    return fail(
        Code::kUnsupported,
        "egress=deny does not hold in VLAN {} of a bridge that is also others': the host is "
        "not in it, and sees nothing of what its containers send; leave out the options "
        "vlan and bridge",
        *network.options.vlan);
  if (links.interfaces.empty())
    return fail(Code::kUnsupported,
                "egress=deny does not hold in mode {}: the containers are on the wire of the "
                "host's interface, and "
                "the host sees nothing of what they send; use mode bridge",
                network.options.mode);
  if (!links.shared) return {};
  return fail(Code::kUnsupported,
              "egress=deny does not hold on bridge {}, which is also others': what leaves through "
              "its other ports "
              "passes no firewall; leave out the option bridge",
              links.interfaces.front().str());
}

Result<Network> Networks::create_shared(const NetworkSpec& spec) {
  if (context_.parts.cluster == nullptr)
    return fail(Code::kUnsupported,
                "mode \"overlay\" is for networks over several hosts, and this host knows of no "
                "others: name the members of etcd under \"cluster\" in fairlead.json, start "
                "fairleadd again, or use mode \"bridge\"");
  if (spec.address_source == AddressSource::kPlugin)
    return fail(Code::kUnsupported,
                "the addresses of a network over several hosts come from Fairlead, because another "
                "allocator knows of this host only; leave out \"ipam\", or its type");
  if (spec.address_source == AddressSource::kRuntime)
    return fail(Code::kUnsupported,
                "the addresses of a network over several hosts come from Fairlead, because the "
                "runtime's own allocator knows of this host only; this works: docker network "
                "create -d fairlead --ipam-driver fairlead --ipam-opt network={0} -o mode=overlay "
                "-o network={0} {0}",
                spec.name.str());
  for (const Family family : {Family::kV4, Family::kV6})
    TRY_STATUS(refuse_single_addresses(spec.subnets, family, "a network of this host alone"));
  for (const SubnetSpec& subnet : spec.subnets) TRY_STATUS(check_routes(subnet));
  // Before it is joined: a refusal changes nothing, here or in the cluster.
  if (const auto there = context_.parts.cluster->networks().inspect(spec.name.str()))
    TRY_STATUS(check_shared(*there));
  TRY(const auto occupied, addresses_.occupied_here());
  TRY(const auto shared, context_.parts.cluster->networks().create_or_join(spec, occupied));
  fault_point("network.create.shared");
  NetworkSpec all = spec;
  all.id = shared.id;
  all.internal = shared.internal;
  all.overlay = context_.parts.cluster->params_of(shared);
  all.subnets.clear();
  std::ranges::transform(shared.subnets, std::back_inserter(all.subnets), spec_of);
  auto created = begin_network(all);
  if (created) return created;
  if (auto left = context_.parts.cluster->networks().leave(shared.id); !left)
    log::warn("undo: join network", {{"error", left.error().text}});
  return created;
}

// Refuses a network of the cluster that would take something from a network of this host, whatever
// the cluster's records say whose it is: they were written by other hosts.
Status Networks::check_shared(const cluster::SharedNetwork& shared) {
  std::vector<SubnetSpec> subnets;
  std::ranges::transform(shared.subnets, std::back_inserter(subnets), spec_of);
  TRY_STATUS(validate_subnets(subnets));
  TRY_STATUS(refuse_several_subnets(subnets, "it is shared by several hosts"));
  TRY(const auto others, context_.records.networks());
  for (const Network& other : others) {
    if (other.id == shared.id) continue;
    if (other.overlay && other.overlay->vni == shared.vni)
      return fail(Code::kConflict, "its VNI {} is network {}'s on this host; nothing was changed",
                  shared.vni, other.name.str());
    for (const Subnet& subnet : shared.subnets)
      for (const Subnet& taken : other.subnets)
        if (taken.subnet.overlaps(subnet.subnet))
          return fail(Code::kConflict,
                      "its subnet {} overlaps {} of network {} on this host; nothing was changed",
                      subnet.subnet.to_string(), taken.subnet.to_string(), other.name.str());
  }
  for (const SubnetSpec& subnet : subnets) TRY_STATUS(check_routes(subnet));
  return {};
}

// Refuses a subnet that contains a route of the host, which would take packets away from the
// network, and a subnet inside a network to which the host is connected, because the host could no
// longer reach that part of it. Wider routes through gateways (for example a VPN's) do no harm,
// because the longer prefix wins. An overlap with another pool is reported by the pools.
Status Networks::check_routes(const SubnetSpec& spec) {
  if (!spec.subnet) return {};
  const Cidr& subnet = *spec.subnet;
  TRY(const auto host, context_.parts.links.host_routing().host_subnets());
  for (const auto* routes : {&host.connected, &host.routed})
    for (const kernel::HostRoute& route : *routes)
      if (subnet.contains(route.destination)) return in_use(subnet, route);
  for (const kernel::HostRoute& route : host.connected) {
    if (!route.destination.contains(subnet)) continue;
    TRY(const auto pool, context_.ipam.find_pool(route.destination));
    if (!pool) return in_use(subnet, route);
  }
  return {};
}

Status Networks::give_subnets(const NetworkSpec& spec, Network& network, const Driver& driver) {
  TRY(auto occupied, context_.parts.links.host_routing().occupied_subnets());
  for (const SubnetSpec& subnet : wanted_subnets(spec)) {
    if (!driver.is_on_host_network(network)) TRY_STATUS(check_routes(subnet));
    TRY(auto given, give_subnet(subnet, network, driver.traits(), occupied));
    network.subnets.push_back(std::move(given));
    fault_point("network.create.subnet");
  }
  return keep_addresses(network);
}

// What is to be kept for containers from the beginning.
Status Networks::keep_addresses(Network& network) {
  std::ranges::sort(network.reservations);
  for (const Reservation& each : network.reservations) {
    TRY_STATUS(check_reservation(network, each));
    const Cidr subnet = subnet_of(network, each.address)->subnet;
    TRY(const auto kept, context_.ipam.keep_plan(subnet, each.address, each.container, ""));
    state::Txn txn{.durability = state::Durability::kDurable};
    kept.add_to(txn);
    TRY_STATUS(context_.commit(std::move(txn)));
    fault_point("network.create.reservation");
  }
  return {};
}

// Docker is told link_gateway() before it says what kind of network it makes: where the host is no
// gateway there is none.
std::optional<IpAddress> Networks::gateway_of_single_address(const Subnet& subnet,
                                                             const NetworkTraits& traits) {
  const IpAddress on_link = link_gateway(subnet.subnet.family());
  if (traits.host_prefixes) return subnet.gateway.value_or(on_link);
  return subnet.gateway == on_link ? std::nullopt : subnet.gateway;
}

Result<Subnet> Networks::give_subnet(const SubnetSpec& spec, const Network& network,
                                     const NetworkTraits& traits, std::span<const Cidr> occupied) {
  NewPool request{.subnet = spec.subnet,
                  .family = spec.subnet ? spec.subnet->family() : spec.family,
                  .range = spec.range,
                  .network = network.id,
                  .owner = network.name.str()};
  if (spec.subnet && !spec.range) {  // the range that the runtime requested together with the pool
    TRY(auto asked, context_.ipam.find_pool(*spec.subnet));
    if (asked) request.range = asked->range;
  }
  TRY(auto pool, context_.ipam.create_pool(request, occupied));
  Subnet subnet{.subnet = pool.subnet,
                .range = spec.range ? spec.range : pool.range,
                .aux = spec.aux,
                .pool_id = pool.subnet.to_string()};
  subnet.gateway = spec.gateway ? spec.gateway : pool.gateway;
  if (subnet.subnet.size() == 1)
    subnet.gateway = gateway_of_single_address(subnet, traits);
  else if (!subnet.gateway && network.address_source != AddressSource::kRuntime)
    subnet.gateway = default_gateway(subnet.subnet);
  TRY(auto use, context_.ipam.plan_use(pool.subnet, network.id, subnet.gateway));
  state::Txn txn{.durability = state::Durability::kDurable};
  use.add_to(txn);
  TRY_STATUS(context_.commit(std::move(txn)));
  if (subnet.gateway && pool.subnet.contains(*subnet.gateway))
    TRY_STATUS(reserve(pool.subnet, *subnet.gateway, AddressUse::kGateway, "gateway"));
  for (const auto& [name, address] : subnet.aux)
    TRY_STATUS(reserve(pool.subnet, address, AddressUse::kReserved, "reserved " + name));
  return subnet;
}

// The pool belongs to this new network alone, so a present lease of the address can only be from
// the runtime that has just requested it.
Status Networks::reserve(const Cidr& pool, const IpAddress& address, AddressUse use,
                         const std::string& owner) {
  TRY(auto held, context_.ipam.find_lease(pool, address));
  if (held && held->owner == owner) return {};
  if (held) TRY_STATUS(context_.ipam.release(pool, address, ""));
  return status_of(context_.ipam.allocate(pool, {.owner = owner, .use = use, .wanted = address}));
}

// Whoever finds the record of a process that was killed takes back what it names: also the addresses
// on a bridge of somebody else's, which stays. So they are in the record before they are on the link.
// A network is ready when the firewall knows it: once it is, the same call again finds it and looks no
// further.
Status Networks::build_network(Network& network, Driver& driver) {
  TRY_STATUS(context_.commit({.puts = {{keys::network(network.id), encode(network)}}}));
  Rollback undo;
  TRY_STATUS(driver.ensure(network, undo));
  fault_point("network.create.links");
  TRY_STATUS(context_.firewall.admit(network));
  fault_point("network.create.firewall");
  network.phase = Phase::kReady;
  const Status ready = context_.commit({.puts = {{keys::network(network.id), encode(network)}},
                                        .durability = state::Durability::kDurable});
  if (!ready) {
    network.phase = Phase::kCreating;
    return ready;
  }
  fault_point("network.create.ready");
  undo.commit();
  return {};
}

// By an endpoint of this boot, by another runtime, or by an address that is kept in it.
Result<bool> Networks::is_wanted(const Network& network) {
  if (!network.reservations.empty()) return true;
  TRY(const auto endpoints, context_.records.endpoints(network.id));
  if (std::ranges::any_of(endpoints, [&](const Endpoint& endpoint) {
        return endpoint.boot_id == context_.parts.boot_id;
      }))
    return true;
  return is_bound_by_any(network.id);
}

Result<bool> Networks::is_bound_by_any(const std::string& id) {
  TRY(const auto aliases, context_.parts.store.list(keys::kAliases));
  for (const state::Record& record : aliases) {
    TRY(const auto bound, decode_id(record.value));
    if (bound == id) return true;
  }
  return false;
}

Status Networks::remove_network(const NetworkRef& ref) {
  TRY(auto networks_guard, context_.lock_networks());
  return remove_locked(ref);
}

// Under the lock of all networks.
Status Networks::remove_locked(const NetworkRef& ref) {
  TRY(auto id, context_.records.network_id(ref));
  TRY(auto guard, context_.lock_network(id));
  TRY(auto stored, context_.records.network_at(id, ref));
  Network& network = stored.value;
  TRY(auto endpoints, context_.records.endpoints(id));
  std::erase_if(endpoints, [&](const Endpoint& endpoint) {
    return endpoint.boot_id != context_.parts.boot_id;
  });
  if (!endpoints.empty()) {
    context_.records.add_names(endpoints);
    std::vector<std::string> names;
    for (const Endpoint& endpoint : endpoints) names.push_back(short_name_of(endpoint));
    if (names.size() > 5) names.resize(5);
    return fail(Code::kInUse,
                "remove network {}: {} it ({}{}); remove them first, see `fairlead endpoint ls "
                "--network {}`",
                network.name.str(),
                endpoints.size() == 1 ? "1 endpoint uses"
                                      : fmt::format("{} endpoints use", endpoints.size()),
                fmt::join(names, ", "), endpoints.size() > 5 ? ", ..." : "", network.name.str());
  }
  network.phase = Phase::kDeleting;
  TRY_STATUS(context_.commit({.preconditions = {{keys::network(id), stored.revision}},
                              .puts = {{keys::network(id), encode(network)}},
                              .durability = state::Durability::kDurable}));
  fault_point("network.remove.intent");
  if (auto purged = removal_.purge_network(network); !purged)
    return fail(with_context(purged.error(), fmt::format("remove network {}", network.name.str())));
  if (!network.internal) surroundings_.try_refresh();
  log::info("network removed", {{"name", network.name.str()}, {"id", id.substr(0, 12)}});
  return {};
}

Result<Network> Networks::inspect_network(const NetworkRef& ref) {
  TRY(auto stored, context_.records.network(ref));
  context_.records.add_names(stored.value);
  return std::move(stored.value);
}

Result<std::vector<NetworkUsage>> Networks::list_networks() {
  std::vector<NetworkUsage> usages;
  TRY(auto networks, context_.records.networks());
  context_.records.add_names(networks);
  for (Network& network : networks) {
    context_.add_name_servers(network);
    TRY(const std::size_t endpoints, context_.records.count(keys::endpoints_of(network.id)));
    usages.push_back({std::move(network), endpoints});
  }
  return usages;
}

Result<Network> Networks::bind_network(const std::string& runtime_id, const NetworkName& name) {
  TRY(auto guard, context_.lock_networks());
  TRY(auto stored, context_.records.network(name));
  TRY(auto bound, context_.records.id_at(keys::alias(runtime_id)));
  if (bound && *bound != stored.value.id)
    return fail(Code::kConflict,
                "bind network {}: the runtime's network {} is bound to another one already",
                name.str(), runtime_id.substr(0, 12));
  TRY_STATUS(context_.commit({.puts = {{keys::alias(runtime_id), encode_id(stored.value.id)}},
                              .durability = state::Durability::kDurable}));
  return std::move(stored.value);
}

Status Networks::unbind_network(const std::string& runtime_id) {
  TRY(const auto id, context_.records.id_at(keys::alias(runtime_id)));
  TRY_STATUS(context_.commit(
      {.deletes = {keys::alias(runtime_id)}, .durability = state::Durability::kDurable}));
  if (!id) return {};
  TRY_STATUS(context_.commit({.deletes = {keys::runtime_network(*id, runtime_id)}}));
  fault_point("network.unbound");
  const auto stored = context_.records.network(NetworkId{*id});
  if (!stored || !stored->value.labels.contains(kMadeForLabel)) return {};
  TRY(const bool bound, is_bound_by_any(*id));
  if (bound) return {};
  const Status removed = remove_network(NetworkId{*id});
  if (!removed && removed.error().code == Code::kInUse) return {};  // another runtime uses it
  return removed;
}

Result<bool> Networks::is_bound(const std::string& runtime_id) {
  TRY(auto bound, context_.records.id_at(keys::alias(runtime_id)));
  return bound.has_value();
}

Result<bool> Networks::release_network(const std::string& runtime_id) {
  TRY(const auto id, context_.records.id_at(keys::alias(runtime_id)));
  if (!id) return true;
  TRY(const std::size_t endpoints, context_.records.count(keys::endpoints_of(*id)));
  if (endpoints != 0) return false;
  TRY_STATUS(unbind_network(runtime_id));
  return true;
}

Status Networks::set_dns_servers(const NetworkRef& ref, const std::vector<IpAddress>& servers) {
  TRY(const auto id, context_.records.network_id(ref));
  TRY(const auto guard, context_.lock_network(id));
  TRY(auto stored, context_.records.network_at(id, ref));
  if (stored.value.options.dns_servers == servers) return {};
  stored.value.options.dns_servers = servers;
  return context_.commit({.preconditions = {{keys::network(id), stored.revision}},
                          .puts = {{keys::network(id), encode(stored.value)}},
                          .durability = state::Durability::kDurable});
}

}  // namespace fairlead::network
