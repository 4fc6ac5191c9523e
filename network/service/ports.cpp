#include "network/service/ports.h"

#include <algorithm>
#include <set>

#include "base/fault.h"
#include "base/log.h"
#include "network/service/keys.h"

namespace fairlead::network {

namespace {

std::vector<PortSpec> as_specs(const ClaimedPorts& claimed) {
  std::vector<PortSpec> specs;
  for (const auto* ports : {&claimed.serves, &claimed.standby})
    for (const PublishedPort& port : *ports)
      specs.push_back(
          {port.proto, port.host_ip, port.host_port, port.host_port_end, port.container_port,
           port.is_range() ? port.container_last() : std::uint16_t{0}, port.max_connections});
  return specs;
}

// What is left of the port, or of the range, without those that are chosen.
std::vector<PortSpec> without(const PortSpec& port, const PortChoice& choice) {
  const auto chosen_last = std::max(choice.host_port, choice.host_port_end);
  const auto last = std::max(port.host_port, port.host_port_end);
  if (choice.proto != port.proto || (choice.host_ip && choice.host_ip != port.host_ip) ||
      choice.host_port > last || chosen_last < port.host_port)
    return {port};
  std::vector<PortSpec> left;
  const auto keep = [&](unsigned from, unsigned to) {
    const int shift = port.container_port - port.host_port;
    PortSpec part = port;
    part.host_port = static_cast<std::uint16_t>(from);
    part.host_port_end = static_cast<std::uint16_t>(to);
    part.container_port = static_cast<std::uint16_t>(static_cast<int>(from) + shift);
    part.container_port_end = static_cast<std::uint16_t>(static_cast<int>(to) + shift);
    left.push_back(part);
  };
  if (choice.host_port > port.host_port) keep(port.host_port, choice.host_port - 1U);
  if (chosen_last < last) keep(chosen_last + 1U, last);
  return left;
}

std::vector<PortSpec> without(std::vector<PortSpec> ports, const PortChoice& choice) {
  std::vector<PortSpec> left;
  for (const PortSpec& port : ports)
    std::ranges::move(without(port, choice), std::back_inserter(left));
  return left;
}

// What is published already has another number of connections from now on.
std::vector<PortSpec> without_limited_otherwise(const std::vector<PortSpec>& ports,
                                                const PortSpec& added) {
  std::vector<PortSpec> left;
  const PortChoice same{.proto = added.proto,
                        .host_ip = added.host_ip,
                        .host_port = added.host_port,
                        .host_port_end = added.host_port_end};
  const bool one_of_several = added.host_port == 0 || (added.host_port_end > added.host_port &&
                                                       added.container_port_end == 0);
  for (const PortSpec& port : ports) {
    const bool stays =
        one_of_several || port.max_connections == added.max_connections ||
        port.host_ip != added.host_ip ||
        port.container_port - port.host_port != added.container_port - added.host_port;
    if (stays)
      left.push_back(port);
    else
      std::ranges::move(without(port, same), std::back_inserter(left));
  }
  return left;
}

std::vector<PublishedPort> without(const std::vector<PublishedPort>& ports,
                                   const std::vector<PublishedPort>& others) {
  const std::set<PublishedPort> left_out(others.begin(), others.end());
  std::vector<PublishedPort> rest;
  std::ranges::copy_if(ports, std::back_inserter(rest),
                       [&](const PublishedPort& port) { return !left_out.contains(port); });
  return rest;
}

bool is_same_mapping(const PublishedPort& a, const PublishedPort& b) {
  return a.proto == b.proto && a.host_ip == b.host_ip &&
         a.container_port - a.host_port == b.container_port - b.host_port;
}

// What is left of the ports without those that the other has too; host_port_end is set always.
std::vector<PublishedPort> cut(const std::vector<PublishedPort>& ports,
                               const PublishedPort& other) {
  std::vector<PublishedPort> rest;
  const auto keep = [&](PublishedPort port, unsigned first, unsigned last) {
    port.container_port = static_cast<std::uint16_t>(port.container_port + first - port.host_port);
    port.host_port = static_cast<std::uint16_t>(first);
    port.host_port_end = static_cast<std::uint16_t>(last);
    rest.push_back(port);
  };
  for (const PublishedPort& port : ports) {
    const bool apart = !is_same_mapping(port, other) || other.last() < port.host_port ||
                       other.host_port > port.last();
    if (apart) keep(port, port.host_port, port.last());
    if (apart) continue;
    if (other.host_port > port.host_port) keep(port, port.host_port, other.host_port - 1U);
    if (other.last() < port.last()) keep(port, other.last() + 1U, port.last());
  }
  return rest;
}

// The ports that only one of both has. A range that became longer has changed at its end alone.
std::vector<PublishedPort> changed(const Endpoint& before, const Endpoint& after) {
  const auto gone = without(before.ports, after.ports), fresh = without(after.ports, before.ports);
  const auto beside = [](std::vector<PublishedPort> ports,
                         const std::vector<PublishedPort>& others) {
    for (const PublishedPort& other : others) ports = cut(ports, other);
    return ports;
  };
  auto all = beside(gone, fresh);
  std::ranges::copy(beside(fresh, gone), std::back_inserter(all));
  return all;
}

// Of several endpoints of a container the least one's default route is in use: that of the smallest
// metric, and where the runtime sets the routes itself that of the network that came first.
struct WayOut {
  std::uint32_t metric = UINT32_MAX;  // UINT32_MAX: there is no default route
  long long since = 0;                // Endpoint::created

  auto operator<=>(const WayOut&) const = default;
};

WayOut way_out_of(const Endpoint& endpoint) {
  WayOut way_out{.since = endpoint.created};
  for (const Route& route : container_routes(endpoint))
    if (route.destination.prefix_length() == 0 && !route.table)
      way_out.metric = std::min(way_out.metric, route.priority.value_or(0));
  return way_out;
}

std::optional<IpAddress> address_of(const Endpoint& endpoint, Family family) {
  for (const Cidr& address : endpoint.addresses)
    if (address.family() == family) return address.address();
  return std::nullopt;
}

}  // namespace

Status Ports::check_ports_allowed(const LockedNetwork& held, std::span<const PortSpec> ports) {
  if (ports.empty()) return {};
  if (held.network.internal)
    return fail(Code::kInvalid, "network {} is internal: its containers cannot publish ports",
                held.network.name.str());
  const std::string why = held.driver->why_no_ports(held.network);
  if (why.empty()) return {};
  return fail(Code::kInvalid,
              "network {} has mode {}, in which containers cannot publish ports: {}",
              held.network.name.str(), held.network.options.mode, why);
}

std::vector<PortSpec> Ports::with_defaults(const Network& network,
                                           std::span<const PortSpec> ports) {
  std::vector<PortSpec> complete;
  for (PortSpec port : ports) {
    if (port.max_connections == 0) port.max_connections = network.options.port_max_connections;
    const auto add = [&](const std::optional<IpAddress>& address) {
      complete.push_back(port);
      complete.back().host_ip = address;
    };
    const bool defaults =
        !port.host_ip && (network.options.host_ip_v4 || network.options.host_ip_v6);
    if (!defaults) add(port.host_ip);
    if (defaults && network.options.host_ip_v4) add(network.options.host_ip_v4);
    if (defaults && network.options.host_ip_v6) add(network.options.host_ip_v6);
  }
  return complete;
}

Result<Stored<Endpoint>> Ports::existing(const LockedNetwork& held, const std::string& id) {
  TRY(auto stored, context_.records.endpoint(held.network.id, id));
  if (!stored)
    return fail(Code::kNotFound, "publish ports: endpoint {} does not exist on network {}",
                id.substr(0, 12), held.network.name.str());
  return std::move(*stored);
}

Result<std::vector<PublishedPort>> Ports::publish(const EndpointRef& ref,
                                                  std::span<const PortSpec> ports) {
  TRY(auto held, context_.hold(ref.network));
  TRY(const auto stored, existing(held, ref.id));
  TRY_STATUS(check_ports_allowed(held, ports));
  TRY(auto after, swap_ports(held, stored.value, with_defaults(held.network, ports), Change::kAny));
  return after.ports;
}

Status Ports::unpublish(const EndpointRef& ref) {
  TRY(auto held, removal_.hold_if_any(ref.network));
  if (!held) return {};
  TRY(auto stored, context_.records.endpoint(held->network.id, ref.id));
  if (!stored || claimed_of(stored->value) == ClaimedPorts()) return {};
  return status_of(swap_ports(*held, stored->value, {}, Change::kRemoves));
}

// The lock of the network keeps two changes of one endpoint apart, so that none undoes the other's.
Result<std::vector<PublishedPort>> Ports::change_ports(const EndpointRef& ref,
                                                       const PortChange& change) {
  TRY(auto held, context_.hold(ref.network));
  TRY(const auto stored, existing(held, ref.id));
  TRY_STATUS(check_ports_allowed(held, change.add));
  std::vector<PortSpec> wanted = as_specs(claimed_of(stored.value));
  for (const PortChoice& choice : change.remove) wanted = without(std::move(wanted), choice);
  for (const PortSpec& added : with_defaults(held.network, change.add)) {
    wanted = without_limited_otherwise(wanted, added);
    wanted.push_back(added);
  }
  const Change kind = change.add.empty() ? Change::kRemoves : Change::kAny;
  TRY(auto after, swap_ports(held, stored.value, wanted, kind));
  return after.ports;
}

Result<Endpoint> Ports::swap_ports(LockedNetwork& held, const Endpoint& before,
                                   std::span<const PortSpec> wanted, Change change) {
  const PortClaimant claimant = PortClaimant::of(before, held.network);
  const ClaimedPorts had = claimed_of(before);
  const std::string key = keys::endpoint(held.network.id, before.id);
  Endpoint after = before;
  Endpoint open = before;  // as the firewall has it
  const auto reopen = [&](const Error& error) -> tl::unexpected<Error> {
    if (open.ports != before.ports)
      if (const Status opened = program_ports(held, open, before); !opened)
        log::error("undo: unpublish ports",
                   {{"endpoint", before.id}, {"error", opened.error().text}});
    return fail(error);
  };
  std::vector<PortOwner> heirs;
  bool made_room = false;
  for (unsigned attempt = 0;; ++attempt) {
    state::Txn txn;
    auto claimed = context_.claims.plan(claimant, wanted, had, txn, &heirs);
    const bool shares = claimed && !claimed->standby.empty() && claimed->standby != had.standby;
    if ((!claimed || shares) && !made_room) {
      const Error refusal = claimed ? Error{.code = Code::kInUse} : claimed.error();
      TRY(made_room, collector_.make_room(held, refusal, wanted));
      if (made_room) continue;
      made_room = shares;  // whoever serves for this container is alive
    }
    TRY(auto now, std::move(claimed));
    after.ports = std::move(now.serves);
    after.standby_ports = std::move(now.standby);
    txn.puts.push_back({key, encode(after)});
    if (change == Change::kRemoves) {
      if (const Status closed = program_ports(held, open, after); !closed)
        return reopen(with_context(closed.error(), "unpublish ports"));
      open = after;
    }
    const Status done = context_.commit(std::move(txn));
    if (done) break;
    if (done.error().code != Code::kConflict || attempt >= kMostAttempts)
      return reopen(done.error());
  }
  context_.heirs.add(heirs);
  fault_point("endpoint.publish.intent");
  if (change == Change::kRemoves) return after;
  const auto program = [&]() -> Status {
    TRY_STATUS(context_.claims.confirm(claimant, claimed_of(after)));
    // A process that was killed has recorded ports and not opened them: they are asked for again.
    const bool asked_again = before.ports == after.ports && after.joined && !after.ports.empty();
    if (!asked_again || context_.firewall.check(held.network, after))
      return program_ports(held, before, after);
    Endpoint closed = before;
    closed.ports.clear();
    return program_ports(held, closed, after);
  };
  const Status programmed = program();
  if (programmed) return after;
  state::Txn back{.puts = {{key, encode(before)}}};
  auto restored = context_.claims.plan(claimant, as_specs(had), claimed_of(after), back);
  if (!restored || !context_.commit(std::move(back)) ||
      !held.driver->close_ports(held.network, after, before, context_.for_drivers))
    log::error("undo: publish ports", {{"endpoint", before.id}});
  return fail(with_context(programmed.error(), "publish ports"));
}

// Only what changes is written to the table, and only the flows of those ports are forgotten:
// connections of the others go on.
Status Ports::program_ports(LockedNetwork& held, const Endpoint& before, const Endpoint& after) {
  if (!after.joined) return {};
  TRY_STATUS(context_.firewall.ensure());
  TRY_STATUS(held.driver->open_ports(held.network, after, context_.for_drivers));
  TRY_STATUS(context_.firewall.change_ports(held.network, before, after));
  TRY_STATUS(held.driver->close_ports(held.network, before, after, context_.for_drivers));
  fault_point("endpoint.publish.firewall");
  context_.flows.forget_all(after, changed(before, after));
  return {};
}

// Answers leave by the container's default route, and the host drops those that come from another
// network than the question went to.
std::vector<PortOwner> Ports::by_way_out(std::vector<PortOwner> heirs) {
  if (heirs.size() < 2) return heirs;
  std::vector<std::pair<WayOut, PortOwner>> ranked;
  for (PortOwner& heir : heirs) {
    const auto stored = context_.records.endpoint(heir.network_id, heir.endpoint_id);
    ranked.emplace_back(stored && *stored ? way_out_of((*stored)->value) : WayOut(),
                        std::move(heir));
  }
  std::ranges::stable_sort(ranked, {}, &std::pair<WayOut, PortOwner>::first);
  heirs.clear();
  for (auto& [way_out, heir] : ranked) heirs.push_back(std::move(heir));
  return heirs;
}

void Ports::let_heirs_take_over() {
  for (const PortOwner& heir : by_way_out(context_.heirs.take()))
    if (const Status done = take_over(heir); !done)
      log::warn("take over published ports of another endpoint of the container",
                {{"endpoint", heir.endpoint_id.substr(0, 12)}, {"error", done.error().text}});
}

Status Ports::take_over(const PortOwner& heir) {
  fault_point("endpoint.publish.heir");
  auto held = context_.hold(NetworkId{heir.network_id});
  if (!held && held.error().code == Code::kNotFound) return {};
  if (!held) return fail(held.error());
  TRY(const auto stored, context_.records.endpoint(heir.network_id, heir.endpoint_id));
  if (!stored || stored->value.standby_ports.empty() || stored->value.phase != Phase::kReady)
    return {};
  const Endpoint& endpoint = stored->value;
  state::Txn unused;
  TRY(const auto claimed,
      context_.claims.plan(PortClaimant::of(endpoint, held->network),
                           as_specs(claimed_of(endpoint)), claimed_of(endpoint), unused));
  if (claimed.serves.size() == endpoint.ports.size()) return {};  // it is served by somebody
  return status_of(swap_ports(*held, endpoint, as_specs(claimed_of(endpoint)), Change::kAny));
}

Status Ports::find_heirs(const Network& network) {
  TRY(const auto endpoints, context_.records.endpoints(network.id));
  std::vector<PortOwner> heirs;
  for (const Endpoint& endpoint : endpoints)
    if (!endpoint.standby_ports.empty() && endpoint.boot_id == context_.parts.boot_id)
      heirs.push_back({network.id, endpoint.id});
  context_.heirs.add(heirs);
  return {};
}

Result<std::vector<PortHolder>> Ports::list_ports() {
  std::vector<PortHolder> holders;
  TRY(auto networks, context_.records.networks());
  context_.records.add_names(networks);
  for (const Network& network : networks) {
    TRY(auto endpoints, context_.records.endpoints(network.id));
    context_.records.add_names(endpoints);
    for (const Endpoint& endpoint : endpoints) {
      for (const PublishedPort& port : endpoint.ports) {
        PortHolder holder{.port = port,
                          .network_id = network.id,
                          .network_name = network.name.str(),
                          .endpoint_id = endpoint.id,
                          .container = endpoint.container,
                          .network_title = title_of(network),
                          .names = endpoint.names};
        for (const Family family : {Family::kV4, Family::kV6})
          if (const auto address = address_of(endpoint, family);
              address && (!port.host_ip || port.host_ip->family() == family))
            holder.targets.push_back(*address);
        holders.push_back(std::move(holder));
      }
    }
  }
  std::ranges::sort(holders, {}, &PortHolder::port);
  return holders;
}

}  // namespace fairlead::network
