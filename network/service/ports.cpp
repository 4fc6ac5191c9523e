#include "network/service/ports.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "network/service/keys.h"

namespace fairlead::network {

namespace {

std::vector<PortSpec> as_specs(const std::vector<PublishedPort>& ports) {
  std::vector<PortSpec> specs;
  for (const PublishedPort& port : ports)
    specs.push_back({port.proto, port.host_ip, port.host_port, 0, port.container_port});
  return specs;
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

Result<std::vector<PublishedPort>> Ports::publish(const EndpointRef& ref,
                                                  std::span<const PortSpec> ports) {
  TRY(auto held, context_.hold(ref.network));
  TRY(auto stored, context_.records.endpoint(held.network.id, ref.id));
  if (!stored)
    return fail(Code::kNotFound, "publish ports: endpoint {} does not exist on network {}",
                ref.id.substr(0, 12), held.network.name.str());
  TRY_STATUS(check_ports_allowed(held, ports));
  TRY(auto after, swap_ports(held, *stored, ports));
  return after.ports;
}

Status Ports::unpublish(const EndpointRef& ref) {
  TRY(auto held, removal_.hold_if_any(ref.network));
  if (!held) return {};
  TRY(auto stored, context_.records.endpoint(held->network.id, ref.id));
  if (!stored || stored->value.ports.empty()) return {};
  return status_of(swap_ports(*held, *stored, {}));
}

Result<Endpoint> Ports::swap_ports(LockedNetwork& held, const Stored<Endpoint>& before,
                                   std::span<const PortSpec> ports) {
  const auto wanted = with_default_addresses(held.network, ports);
  const PortOwner owner{held.network.id, before.value.id};
  const std::string key = keys::endpoint(held.network.id, before.value.id);
  Endpoint after = before.value;
  bool made_room = false;
  for (unsigned attempt = 0;; ++attempt) {
    state::Txn txn;
    auto claimed = context_.claims.plan(owner, wanted, before.value.ports, txn);
    if (!claimed && !made_room) {
      TRY(made_room, collector_.make_room(held, claimed.error(), wanted));
      if (made_room) continue;
    }
    TRY(after.ports, std::move(claimed));
    txn.puts.push_back({key, encode(after)});
    const Status done = context_.commit(std::move(txn));
    if (done) break;
    if (done.error().code != Code::kConflict || attempt >= kMostAttempts) return fail(done.error());
  }
  fault_point("endpoint.publish.intent");
  const Status programmed = program_ports(held, before.value, after);
  if (programmed) return after;
  state::Txn back{.puts = {{key, encode(before.value)}}};
  auto restored = context_.claims.plan(owner, as_specs(before.value.ports), after.ports, back);
  if (!restored || !context_.commit(std::move(back)) ||
      !held.driver->close_ports(held.network, after, before.value, context_.for_drivers))
    log::error("undo: publish ports", {{"endpoint", before.value.id}});
  return fail(with_context(programmed.error(), "publish ports"));
}

Status Ports::program_ports(LockedNetwork& held, const Endpoint& before, const Endpoint& after) {
  if (!after.joined) return {};
  TRY_STATUS(context_.firewall.ensure());
  TRY_STATUS(held.driver->open_ports(held.network, after, context_.for_drivers));
  TRY_STATUS(context_.firewall.change_ports(held.network, before, after));
  TRY_STATUS(held.driver->close_ports(held.network, before, after, context_.for_drivers));
  fault_point("endpoint.publish.firewall");
  removal_.forget_flows(before, before.ports);
  removal_.forget_flows(after, after.ports);
  return {};
}

Result<std::vector<PortHolder>> Ports::list_ports() {
  std::vector<PortHolder> holders;
  TRY(auto networks, context_.records.networks());
  for (const Network& network : networks) {
    TRY(auto endpoints, context_.records.endpoints(network.id));
    for (const Endpoint& endpoint : endpoints) {
      for (const PublishedPort& port : endpoint.ports) {
        PortHolder holder{.port = port,
                          .network_id = network.id,
                          .network_name = network.name.str(),
                          .endpoint_id = endpoint.id,
                          .container = endpoint.container};
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
