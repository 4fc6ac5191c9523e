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
      specs.push_back({port.proto, port.host_ip, port.host_port, 0, port.container_port});
  return specs;
}

bool is_meant(const PortChoice& choice, const PortSpec& port) {
  const auto last = std::max(choice.host_port, choice.host_port_end);
  return choice.proto == port.proto && port.host_port >= choice.host_port &&
         port.host_port <= last && (!choice.host_ip || choice.host_ip == port.host_ip);
}

std::vector<PublishedPort> without(const std::vector<PublishedPort>& ports,
                                   const std::vector<PublishedPort>& others) {
  const std::set<PublishedPort> left_out(others.begin(), others.end());
  std::vector<PublishedPort> rest;
  std::ranges::copy_if(ports, std::back_inserter(rest),
                       [&](const PublishedPort& port) { return !left_out.contains(port); });
  return rest;
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
  const NetworkTraits traits = held.driver->traits();
  if (traits.no_ports.empty()) return {};
  return fail(Code::kInvalid,
              "network {} has mode {}, in which containers cannot publish ports: {}",
              held.network.name.str(), held.network.options.mode, traits.no_ports);
}

// Gives ports without a host address the default addresses of the network, if it has any.
std::vector<PortSpec> Ports::with_default_addresses(const Network& network,
                                                    std::span<const PortSpec> ports) {
  std::vector<PortSpec> complete;
  for (const PortSpec& port : ports) {
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
  TRY(auto after, swap_ports(held, stored.value, with_default_addresses(held.network, ports)));
  return after.ports;
}

Status Ports::unpublish(const EndpointRef& ref) {
  TRY(auto held, removal_.hold_if_any(ref.network));
  if (!held) return {};
  TRY(auto stored, context_.records.endpoint(held->network.id, ref.id));
  if (!stored || claimed_of(stored->value) == ClaimedPorts()) return {};
  return status_of(swap_ports(*held, stored->value, {}));
}

// The lock of the network keeps two changes of one endpoint apart, so that none undoes the other's.
Result<std::vector<PublishedPort>> Ports::change_ports(const EndpointRef& ref,
                                                       const PortChange& change) {
  TRY(auto held, context_.hold(ref.network));
  TRY(const auto stored, existing(held, ref.id));
  TRY_STATUS(check_ports_allowed(held, change.add));
  std::vector<PortSpec> wanted = as_specs(claimed_of(stored.value));
  std::erase_if(wanted, [&](const PortSpec& port) {
    return std::ranges::any_of(change.remove,
                               [&](const PortChoice& choice) { return is_meant(choice, port); });
  });
  std::ranges::copy(with_default_addresses(held.network, change.add), std::back_inserter(wanted));
  TRY(auto after, swap_ports(held, stored.value, wanted));
  return after.ports;
}

Result<Endpoint> Ports::swap_ports(LockedNetwork& held, const Endpoint& before,
                                   std::span<const PortSpec> wanted) {
  const PortClaimant claimant = PortClaimant::of(before, held.network);
  const ClaimedPorts had = claimed_of(before);
  const std::string key = keys::endpoint(held.network.id, before.id);
  Endpoint after = before;
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
    const Status done = context_.commit(std::move(txn));
    if (done) break;
    if (done.error().code != Code::kConflict || attempt >= kMostAttempts) return fail(done.error());
  }
  context_.heirs.add(heirs);
  fault_point("endpoint.publish.intent");
  const Status programmed = program_ports(held, before, after);
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
  auto changed = without(before.ports, after.ports);
  std::ranges::copy(without(after.ports, before.ports), std::back_inserter(changed));
  removal_.forget_all_flows(after, std::move(changed));
  return {};
}

void Ports::let_heirs_take_over() {
  for (const PortOwner& heir : context_.heirs.take())
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
  return status_of(swap_ports(*held, endpoint, as_specs(claimed_of(endpoint))));
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
