#include "network/service/endpoints.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "network/api/names.h"
#include "network/service/change_log.h"
#include "network/service/keys.h"
#include "network/service/ports.h"

namespace fairlead::network {

namespace {

// The gateways of the subnets in which the endpoint has addresses; none on an internal network. An
// address that its runtime has given from elsewhere has the network's.
std::vector<IpAddress> gateways_of(const Network& network, const std::vector<Cidr>& addresses) {
  std::vector<IpAddress> gateways;
  if (network.internal) return gateways;
  const auto add = [&](const Subnet& subnet) {
    const auto mode =
        subnet.subnet.is_v4() ? network.options.gateway_mode_v4 : network.options.gateway_mode_v6;
    if (subnet.gateway && mode != GatewayMode::kIsolated &&
        std::ranges::find(gateways, *subnet.gateway) == gateways.end())
      gateways.push_back(*subnet.gateway);
  };
  for (const Cidr& address : addresses) {
    if (const Subnet* subnet = subnet_of(network, address.address())) {
      add(*subnet);
      continue;
    }
    for (const Subnet& other : network.subnets)
      if (other.subnet.family() == address.family()) add(other);
  }
  return gateways;
}

constexpr std::uint32_t kScopeLink = 253;  // RT_SCOPE_LINK, linux/rtnetlink.h

unsigned whole_length(Family family) { return family == Family::kV4 ? 32 : 128; }

// Where nobody else is on a container's link, the way to the others of an internal network is a
// route as well, and no default route.
void add_routes_inside(const Network& network, Endpoint& endpoint) {
  if (!network.internal) return;
  for (const Subnet& subnet : network.subnets) {
    if (!subnet.gateway) continue;
    endpoint.routes.push_back(
        {.destination = Cidr::of(*subnet.gateway, whole_length(subnet.subnet.family()))});
    endpoint.routes.push_back({.destination = subnet.subnet.network(), .via = *subnet.gateway});
  }
}

void take_single_addresses(Endpoint& endpoint) {
  for (Cidr& address : endpoint.addresses)
    address = Cidr::of(address.address(), whole_length(address.family()));
}

// The network's other subnets are on the container's own link. Through the gateway the host would
// redirect it there, and a neighbour's answer to an address of another subnet would go to the gateway:
// with IPv6 neither reached the other one.
void add_neighbours(const Network& network, Endpoint& endpoint) {
  for (const Subnet& subnet : network.subnets) {
    const auto is_of_family = [&](const Cidr& address) {
      return address.family() == subnet.subnet.family();
    };
    const auto is_inside = [&](const Cidr& address) {
      return subnet.subnet.contains(address.address());
    };
    const Route neighbours{.destination = subnet.subnet, .scope = kScopeLink};
    if (std::ranges::any_of(endpoint.addresses, is_of_family) &&
        std::ranges::none_of(endpoint.addresses, is_inside) &&
        std::ranges::find(endpoint.routes, subnet.subnet, &Route::destination) ==
            endpoint.routes.end())
      endpoint.routes.push_back(neighbours);
  }
}

// What follows from the addresses. Where nobody else is on the link, the way to the neighbours is the
// one to everybody.
void add_ways(const LockedNetwork& held, Endpoint& endpoint) {
  endpoint.gateways = gateways_of(held.network, endpoint.addresses);
  if (!held.driver->traits().host_prefixes) add_neighbours(held.network, endpoint);
}

Attachment attachment_of(const Network& network, Endpoint endpoint, EndpointLinks links) {
  auto routes = container_routes(endpoint);
  return {.endpoint = std::move(endpoint),
          .host_links = std::move(links.host_links),
          .container_ifname = links.container_ifname,
          .container_mac = links.container_mac,
          .mtu = links.mtu,
          .routes = std::move(routes),
          .ifname_prefix = network.options.ifname_prefix};
}

Status validate(const EndpointSpec& spec) {
  for (auto one = spec.addresses.begin(); one != spec.addresses.end(); ++one)
    if (std::ranges::any_of(spec.addresses.begin(), one,
                            [&](const Cidr& other) { return other.address() == one->address(); }))
      return fail(Code::kInvalid, "address {} is asked for twice", one->address().to_string());
  return {};
}

}  // namespace

// Where nobody answers names, or another program sits on their port, the host's servers are asked.
Attachment Endpoints::with_names(const Network& network, Attachment attachment) const {
  if (!network.options.dns) return attachment;
  const auto servers = context_.records.name_servers(context_.parts.boot_id);
  if (!servers || !servers->running) return attachment;
  Network with = network;
  context_.add_name_servers(with);
  std::erase_if(with.name_servers, [&](const IpAddress& address) {
    return std::ranges::any_of(servers->places, [&](const NameServer& place) {
      return place.address == address && place.port == 0;
    });
  });
  attachment.dns = name_service_of(with, attachment.endpoint);
  return attachment;
}

Result<Endpoint> Endpoints::draft(const LockedNetwork& held, const EndpointSpec& spec) const {
  const Network& network = held.network;
  Endpoint endpoint{.id = spec.id,
                    .network_id = network.id,
                    .container = spec.container,
                    .runtime = spec.runtime,
                    .mac = spec.mac,
                    .address_source = spec.address_source,
                    .aliases = spec.aliases,
                    .rates = spec.rates.value_or(network.options.rates),
                    .routes = spec.routes,
                    .netns_path = spec.netns_path.value_or(""),
                    .labels = spec.labels,
                    .boot_id = context_.parts.boot_id,
                    .created = context_.parts.unix_time(),
                    .names = spec.names,
                    .digest = spec.digest};
  if (held.driver->traits().host_prefixes) add_routes_inside(network, endpoint);
  TRY(endpoint.links, held.driver->plan_endpoint(network, endpoint));
  return endpoint;
}

// Leases addresses of the network's subnets, or takes over the addresses that the runtime has requested or
// its own allocator has given.
Status Endpoints::lease(const LockedNetwork& held, const EndpointSpec& spec, Endpoint& endpoint,
                        unsigned attempt, state::Txn& txn) {
  const Network& network = held.network;
  endpoint.addresses.clear();
  if (spec.address_source == AddressSource::kRuntime) {
    endpoint.addresses = spec.addresses;
    TRY_STATUS(addresses_.take_over_leases(network, endpoint, attempt, txn));
  } else if (spec.address_source == AddressSource::kPlugin) {
    if (!spec.addresses.empty())
      return fail(Code::kInvalid,
                  "an endpoint whose addresses another program gives is attached without any");
  } else if (network.address_source == AddressSource::kPlugin) {
    return fail(Code::kUnsupported,
                "the addresses of network {} are given by another IPAM plugin of CNI, as the "
                "\"ipam\" of its conflist says; attach the container by that conflist, or make the "
                "network without it",
                network.name.str());
  } else if (network.address_source == AddressSource::kRuntime) {
    return fail(
        Code::kUnsupported,
        "the addresses of network {} are given by its runtime's own allocator; make it with "
        "addresses "
        "from Fairlead (docker network create -d fairlead --ipam-driver fairlead) to share it",
        network.name.str());
  } else {
    TRY(endpoint.addresses, addresses_.lease(network, spec, attempt, txn));
  }
  add_ways(held, endpoint);
  if (!spec.default_route) endpoint.gateways.clear();
  if (!endpoint.mac && !endpoint.addresses.empty())
    endpoint.mac = MacAddress::for_ip(endpoint.addresses.front().address());
  if (!endpoint.mac) endpoint.mac = MacAddress::from_hash(network.id + "/" + spec.id);
  return {};
}

// Commits addresses, ports and the endpoint's record in one transaction, before any link is made.
Result<Endpoint> Endpoints::reserve_endpoint(LockedNetwork& held, const EndpointSpec& spec,
                                             const Placement* placement) {
  TRY_STATUS(Ports::check_ports_allowed(held, spec.ports));
  const auto ports = Ports::with_defaults(held.network, spec.ports);
  auto reserved = try_reserve(held, spec, ports, placement);
  if (reserved) return reserved;
  TRY(const bool freed, collector_.make_room(held, reserved.error(), ports));
  return freed ? try_reserve(held, spec, ports, placement) : reserved;
}

Result<Endpoint> Endpoints::try_reserve(LockedNetwork& held, const EndpointSpec& spec,
                                        std::span<const PortSpec> ports,
                                        const Placement* placement) {
  const Network& network = held.network;
  TRY(auto endpoint, draft(held, spec));
  if (placement != nullptr)
    if (const auto* inside = std::get_if<IntoNetns>(placement))
      endpoint.ifname = inside->ifname.str();
  if (placement == nullptr) endpoint.phase = Phase::kReady;
  const PortClaimant claimant = PortClaimant::of(endpoint, network);
  bool looked = ports.empty();
  for (unsigned attempt = 0;; ++attempt) {
    state::Txn txn;
    TRY_STATUS(lease(held, spec, endpoint, attempt, txn));
    if (!held.driver->traits().macs) endpoint.mac = spec.mac;
    // A runtime that sets its own addresses has its own prefix length.
    const bool ours = spec.address_source == AddressSource::kFairlead || !endpoint.ifname.empty();
    if (ours && held.driver->traits().host_prefixes) take_single_addresses(endpoint);
    TRY(auto claimed, context_.claims.plan(claimant, ports, {}, txn));
    if (!claimed.standby.empty() && !std::exchange(looked, true)) {
      // Whoever serves them for this container may be dead.
      TRY(const bool freed, collector_.make_room(held, Error{.code = Code::kInUse}, ports));
      if (freed) continue;
    }
    endpoint.ports = std::move(claimed.serves);
    endpoint.standby_ports = std::move(claimed.standby);
    txn.preconditions.push_back({keys::endpoint(network.id, endpoint.id), state::kAbsent});
    txn.puts.push_back({keys::endpoint(network.id, endpoint.id), encode(endpoint)});
    const Status done = context_.commit(std::move(txn));
    if (done) {
      const Status confirmed = context_.claims.confirm(claimant, claimed_of(endpoint));
      if (confirmed) return endpoint;
      undo_reservation(held, endpoint);
      return fail(confirmed.error());
    }
    if (done.error().code != Code::kConflict || attempt >= kMostAttempts) return fail(done.error());
  }
}

// Removes a record with this id that a killed process, or a container that no longer exists, has
// left. kExists when the endpoint is in use.
Status Endpoints::clear_leftover(LockedNetwork& held, const std::string& id) {
  TRY(auto stored, context_.records.endpoint(held.network.id, id));
  if (!stored) return {};
  const Endpoint& endpoint = stored->value;
  TRY(const std::string reason, removal_.reason_to_drop(held.network, endpoint));
  if (reason.empty())
    return fail(Code::kExists, "endpoint {} exists on network {} already; remove it first",
                short_name_of(endpoint), held.network.name.str());
  return removal_.discard(held, endpoint, Fate::kDead);
}

Result<Endpoint> Endpoints::create_endpoint(const EndpointSpec& spec) {
  TRY_STATUS(validate(spec));
  TRY(auto held, context_.hold(spec.network));
  TRY_STATUS(clear_leftover(held, spec.id));
  TRY(auto endpoint, reserve_endpoint(held, spec, nullptr));
  fault_point("endpoint.create.reserved");
  const auto admit = [&]() -> Status {
    TRY_STATUS(context_.firewall.ensure());
    return context_.firewall.admit(held.network, endpoint);
  };
  const Status admitted = admit();
  if (admitted) return endpoint;
  undo_reservation(held, endpoint);
  return fail(with_context(admitted.error(),
                           fmt::format("create endpoint {} on network {}", short_name_of(endpoint),
                                       held.network.name.str())));
}

Result<Attachment> Endpoints::attach(const EndpointSpec& spec, const Placement& placement) {
  TRY_STATUS(validate(spec));
  TRY(auto held, context_.hold(spec.network));
  const Status cleared = clear_leftover(held, spec.id);
  if (!cleared && cleared.error().code == Code::kExists)
    return answer_again(held, spec, placement, cleared.error());
  TRY_STATUS(cleared);
  TRY(auto endpoint, reserve_endpoint(held, spec, &placement));
  fault_point("endpoint.attach.intent");
  other_firewalls_.admit_if_changed();
  return connect(held, std::move(endpoint), placement);
}

// To a runtime that did not get the answer and repeats its call. `refusal` is for all others.
Result<Attachment> Endpoints::answer_again(LockedNetwork& held, const EndpointSpec& spec,
                                           const Placement& placement, const Error& refusal) {
  const auto* inside = std::get_if<IntoNetns>(&placement);
  TRY(auto stored, context_.records.endpoint(held.network.id, spec.id));
  if (!stored || inside == nullptr || spec.digest.empty() || stored->value.digest != spec.digest ||
      stored->value.phase != Phase::kReady || !stored->value.joined)
    return fail(refusal);
  const auto look = [&]() -> Result<EndpointLinks> {
    TRY(auto links, held.driver->attached_links(held.network, stored->value, *inside));
    TRY_STATUS(context_.firewall.check(held.network, stored->value));
    return links;
  };
  auto links = look();
  if (!links)
    return fail(Code::kExists, "{}; it is no longer as it was attached: {}", refusal.text,
                links.error().text);
  return with_names(held.network,
                    attachment_of(held.network, std::move(stored->value), std::move(*links)));
}

Result<Attachment> Endpoints::join(const EndpointRef& ref, const Placement& placement) {
  TRY(auto held, context_.hold(ref.network));
  TRY(auto stored, context_.records.endpoint(held.network.id, ref.id));
  if (!stored)
    return fail(Code::kNotFound, "endpoint {} does not exist on network {}", ref.id.substr(0, 12),
                held.network.name.str());
  if (stored->value.joined)
    return fail(Code::kExists, "endpoint {} is joined already", short_name_of(stored->value));
  return connect(held, std::move(stored->value), placement);
}

Result<Attachment> Endpoints::give_addresses(const EndpointRef& ref, const GivenAddresses& given,
                                             const IntoNetns& inside) {
  TRY(auto held, context_.hold(ref.network));
  TRY(auto stored, context_.records.endpoint(held.network.id, ref.id));
  if (!stored)
    return fail(Code::kNotFound, "endpoint {} does not exist on network {}", ref.id.substr(0, 12),
                held.network.name.str());
  const Endpoint& before = stored->value;
  if (before.address_source != AddressSource::kPlugin || !before.joined ||
      !before.addresses.empty())
    return fail(Code::kExists, "endpoint {} on network {} has its addresses already",
                short_name_of(before), held.network.name.str());
  TRY_STATUS(Ports::check_ports_allowed(held, given.ports));
  const auto ports = Ports::with_defaults(held.network, given.ports);
  auto taken = take_given(held, before, given, ports);
  if (!taken) {
    TRY(const bool freed, collector_.make_room(held, taken.error(), ports));
    if (freed) taken = take_given(held, before, given, ports);
  }
  TRY(Endpoint after, std::move(taken));
  fault_point("endpoint.address.intent");
  Rollback undo;
  const auto set = [&]() -> Result<EndpointLinks> {
    TRY_STATUS(context_.claims.confirm(PortClaimant::of(after, held.network), claimed_of(after)));
    TRY_STATUS(context_.firewall.ensure());
    TRY_STATUS(context_.firewall.change(held.network, before, after));
    fault_point("endpoint.address.firewall");
    TRY(auto links,
        held.driver->give_addresses(held.network, after, inside, context_.for_drivers, undo));
    TRY_STATUS(held.driver->open_ports(held.network, after, context_.for_drivers));
    return links;
  };
  auto links = set();
  if (links) undo.commit();
  if (!links)
    return fail(
        with_context(links.error(), fmt::format("give {} its addresses on network {}",
                                                short_name_of(after), held.network.name.str())));
  fault_point("endpoint.address.link");
  context_.flows.forget(after, after.ports);
  if (!links->routes.empty()) after.routes = std::move(links->routes);
  after.digest = given.digest;
  after.allocation = given.allocation;
  TRY_STATUS(
      context_.commit({.puts = {{keys::endpoint(held.network.id, after.id), encode(after)}}}));
  fault_point("endpoint.address.ready");
  tell_attached(held.network, after);
  return with_names(held.network, attachment_of(held.network, std::move(after), std::move(*links)));
}

// In one transaction: the ports, the leases where the network's addresses are Fairlead's, and the record.
Result<Endpoint> Endpoints::take_given(LockedNetwork& held, const Endpoint& before,
                                       const GivenAddresses& given,
                                       std::span<const PortSpec> ports) {
  Endpoint after = before;
  after.addresses = given.addresses;
  after.routes.insert(after.routes.end(), given.routes.begin(), given.routes.end());
  add_ways(held, after);
  if (held.driver->traits().host_prefixes) take_single_addresses(after);
  bool looked = ports.empty();
  for (unsigned attempt = 0;; ++attempt) {
    state::Txn txn;
    TRY_STATUS(addresses_.take_over_leases(held.network, after, attempt, txn));
    TRY(auto claimed, context_.claims.plan(PortClaimant::of(after, held.network), ports, {}, txn));
    if (!claimed.standby.empty() && !std::exchange(looked, true)) {
      // Whoever serves them for this container may be dead.
      TRY(const bool freed, collector_.make_room(held, Error{.code = Code::kInUse}, ports));
      if (freed) continue;
    }
    after.ports = std::move(claimed.serves);
    after.standby_ports = std::move(claimed.standby);
    txn.puts.push_back({keys::endpoint(held.network.id, after.id), encode(after)});
    const Status done = context_.commit(std::move(txn));
    if (done) return after;
    if (done.error().code != Code::kConflict || attempt >= kMostAttempts) return fail(done.error());
  }
}

// Makes the link and the firewall elements of a reserved endpoint, and stores the record as ready.
// After a failure nothing of the endpoint is left.
Result<Attachment> Endpoints::connect(LockedNetwork& held, Endpoint endpoint,
                                      const Placement& placement) {
  const auto make = [&]() -> Result<Attachment> {
    Rollback undo;
    // The tables must be this store's. The rules for the link are there before it is.
    TRY_STATUS(context_.firewall.ensure());
    undo.push([&] {
      if (auto dropped = context_.firewall.drop_ports(held.network, {&endpoint, 1}); !dropped)
        log::error("undo: publish ports", {{"error", dropped.error().text}});
    });
    TRY_STATUS(context_.firewall.admit(held.network, endpoint));
    fault_point("endpoint.attach.firewall");
    TRY(auto links,
        held.driver->attach(held.network, endpoint, placement, context_.for_drivers, undo));
    fault_point("endpoint.attach.link");
    context_.flows.forget(endpoint, endpoint.ports);
    if (!links.routes.empty()) endpoint.routes = std::move(links.routes);
    endpoint.phase = Phase::kReady;
    endpoint.joined = true;
    TRY_STATUS(context_.commit(
        {.puts = {{keys::endpoint(held.network.id, endpoint.id), encode(endpoint)}}}));
    fault_point("endpoint.attach.ready");
    undo.commit();
    tell_attached(held.network, endpoint);
    Attachment attachment = attachment_of(held.network, endpoint, std::move(links));
    // Who moves the link itself (Docker) tells the container itself whom to ask.
    if (std::holds_alternative<LeaveInHost>(placement)) return attachment;
    return with_names(held.network, std::move(attachment));
  };
  if (const auto* left = std::get_if<LeaveInHost>(&placement); left && !left->netns_path.empty())
    endpoint.netns_path = left->netns_path;
  auto made = make();
  if (made) return made;
  undo_reservation(held, endpoint);
  return fail(with_context(
      made.error(),
      fmt::format("attach {} to network {}", short_name_of(endpoint), held.network.name.str())));
}

// Names of Docker's containers come later, and the line with them. So do addresses that another program
// gives.
void Endpoints::tell_attached(const Network& network, const Endpoint& endpoint) {
  if (!log_changes() || (endpoint.runtime == kNamedLater && context_.names_coming)) return;
  const bool waits = endpoint.address_source == AddressSource::kPlugin && endpoint.digest.empty();
  if (waits) return;  // it is told with its addresses
  log_attached(context_.records.title(network), endpoint);
}

void Endpoints::undo_reservation(LockedNetwork& held, const Endpoint& endpoint) {
  if (auto gone = context_.firewall.dismiss(held.network, endpoint); !gone)
    log::error("undo: reserve endpoint", {{"error", gone.error().text}});
  if (auto forgotten = removal_.forget_endpoint(held.network, endpoint, Fate::kRemoved); !forgotten)
    log::error("undo: reserve endpoint", {{"error", forgotten.error().text}});
}

Status Endpoints::leave(const EndpointRef& ref) {
  TRY(auto held, removal_.hold_if_any(ref.network));
  if (!held) return {};
  TRY(auto stored, context_.records.endpoint(held->network.id, ref.id));
  if (!stored || !stored->value.joined) return {};
  Endpoint endpoint = stored->value;
  TRY_STATUS(removal_.take_down(*held, endpoint));
  endpoint.joined = false;
  endpoint.ports.clear();
  endpoint.standby_ports.clear();
  for (unsigned attempt = 0;; ++attempt) {
    state::Txn txn{.puts = {{keys::endpoint(held->network.id, endpoint.id), encode(endpoint)}}};
    std::vector<PortOwner> heirs;
    TRY_STATUS(context_.claims.plan(PortClaimant::of(endpoint, held->network), {},
                                    claimed_of(stored->value), txn, &heirs));
    const Status done = context_.commit(std::move(txn));
    if (done) context_.heirs.add(heirs);
    if (done || done.error().code != Code::kConflict || attempt >= kMostAttempts) return done;
  }
}

Status Endpoints::remove_endpoint(const EndpointRef& ref) {
  TRY(auto held, removal_.hold_if_any(ref.network));
  if (!held) return {};
  TRY(auto stored, context_.records.endpoint(held->network.id, ref.id));
  if (!stored) return {};
  return removal_.remove_held(*held, std::move(stored->value));
}

Result<Endpoint> Endpoints::inspect_endpoint(const EndpointRef& ref) {
  TRY(auto id, context_.records.network_id(ref.network));
  TRY(auto stored, context_.records.endpoint(id, ref.id));
  if (!stored)
    return fail(
        Code::kNotFound,
        "endpoint {} does not exist on network {}; `fairlead endpoint ls` shows those that do",
        ref.id.substr(0, 64), to_string(ref.network));
  context_.records.add_names(stored->value);
  return std::move(stored->value);
}

Result<std::vector<Endpoint>> Endpoints::list_endpoints(const std::optional<NetworkRef>& network) {
  std::string id;
  if (network) {
    TRY(const auto stored, context_.records.network(*network));
    id = stored.value.id;
  }
  TRY(auto endpoints, context_.records.endpoints(id));
  context_.records.add_names(endpoints);
  return endpoints;
}

Status Endpoints::check(const EndpointRef& ref, const Expectation& expected) {
  TRY(auto held, context_.hold(ref.network));
  TRY(auto stored, context_.records.endpoint(held.network.id, ref.id));
  if (!stored)
    return fail(Code::kNotFound, "endpoint {} does not exist on network {}", ref.id.substr(0, 12),
                held.network.name.str());
  const Endpoint& endpoint = stored->value;
  if (endpoint.boot_id != context_.parts.boot_id)
    return fail(Code::kConflict, "endpoint {} is of an earlier boot", short_name_of(endpoint));
  if (endpoint.phase != Phase::kReady || !endpoint.joined)
    return fail(Code::kConflict, "endpoint {} is not attached", short_name_of(endpoint));
  for (const Cidr& address : expected.addresses)
    if (std::ranges::find(endpoint.addresses, address) == endpoint.addresses.end())
      return fail(Code::kConflict, "address {} is not one of endpoint {}", address.to_string(),
                  short_name_of(endpoint));
  TRY_STATUS(held.driver->check(held.network, endpoint, expected.netns_fd, expected.ifname));
  return context_.firewall.check(held.network, endpoint);
}

Result<std::size_t> Endpoints::collect(const NetworkRef& network, const std::string& runtime,
                                       std::span<const ValidAttachment> valid) {
  std::set<std::string> keep;
  for (const ValidAttachment& attachment : valid)
    keep.insert(endpoint_id(attachment.container, attachment.ifname));
  TRY(auto held, removal_.hold_if_any(network));
  if (!held) return std::size_t{0};
  TRY(auto endpoints, context_.records.endpoints(held->network.id));
  std::erase_if(endpoints, [&](const Endpoint& endpoint) {
    return endpoint.runtime != runtime || keep.contains(endpoint.id);
  });
  TRY_STATUS(context_.firewall.drop_ports(held->network, endpoints));  // in one transaction
  std::string failures;
  std::size_t removed = 0;
  for (const Endpoint& endpoint : endpoints) {
    if (auto gone = removal_.remove_held(*held, endpoint); gone)
      ++removed;
    else
      failures += (failures.empty() ? "" : "; ") + gone.error().text;
  }
  if (!failures.empty())
    return fail(Code::kIo, "collect endpoints of network {}: {}", held->network.name.str(),
                failures);
  return removed;
}

}  // namespace fairlead::network
