// Publishes ports of existing endpoints, and lists all published ports.
#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "network/service/keys.h"
#include "network/service/service_impl.h"

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

// Gives ports without a host address the default addresses of the network, if it has any.
std::vector<PortSpec> ServiceImpl::with_default_addresses(const Network& network,
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

Result<std::vector<PublishedPort>> ServiceImpl::publish(const EndpointRef& ref,
                                                        std::span<const PortSpec> ports) {
  TRY(auto held, hold(ref.network));
  TRY(auto stored, records_.endpoint(held.network.id, ref.id));
  if (!stored)
    return fail(Code::kNotFound, "publish ports: endpoint {} does not exist on network {}",
                ref.id.substr(0, 12), held.network.name.str());
  TRY_STATUS(check_ports_allowed(held, ports));
  TRY(auto after, swap_ports(held, *stored, ports));
  return after.ports;
}

Status ServiceImpl::unpublish(const EndpointRef& ref) {
  TRY(auto held, hold_if_any(ref.network));
  if (!held) return {};
  TRY(auto stored, records_.endpoint(held->network.id, ref.id));
  if (!stored || stored->value.ports.empty()) return {};
  return status_of(swap_ports(*held, *stored, {}));
}

Result<Endpoint> ServiceImpl::swap_ports(LockedNetwork& held, const Stored<Endpoint>& before,
                                         std::span<const PortSpec> ports) {
  const auto wanted = with_default_addresses(held.network, ports);
  const PortOwner owner{held.network.id, before.value.id};
  const std::string key = keys::endpoint(held.network.id, before.value.id);
  Endpoint after = before.value;
  bool made_room = false;
  for (unsigned attempt = 0;; ++attempt) {
    state::Txn txn;
    auto claimed = claims_.plan(owner, wanted, before.value.ports, txn);
    if (!claimed && !made_room) {
      TRY(made_room, make_room(held, claimed.error(), wanted));
      if (made_room) continue;
    }
    TRY(after.ports, std::move(claimed));
    txn.puts.push_back({key, encode(after)});
    const Status done = commit(std::move(txn));
    if (done) break;
    if (done.error().code != Code::kConflict || attempt >= kMostAttempts) return fail(done.error());
  }
  fault_point("endpoint.publish.intent");
  const Status programmed = program_ports(held, before.value, after);
  if (programmed) return after;
  state::Txn back{.puts = {{key, encode(before.value)}}};
  auto restored = claims_.plan(owner, as_specs(before.value.ports), after.ports, back);
  if (!restored || !commit(std::move(back)) ||
      !held.driver->close_ports(held.network, after, before.value, context_))
    log::error("undo: publish ports", {{"endpoint", before.value.id}});
  return fail(with_context(programmed.error(), "publish ports"));
}

Status ServiceImpl::program_ports(LockedNetwork& held, const Endpoint& before,
                                  const Endpoint& after) {
  if (!after.joined) return {};
  TRY_STATUS(firewall_.ensure());
  TRY_STATUS(held.driver->open_ports(held.network, after, context_));
  TRY_STATUS(firewall_.change_ports(held.network, before, after));
  TRY_STATUS(held.driver->close_ports(held.network, before, after, context_));
  fault_point("endpoint.publish.firewall");
  forget_flows(before, before.ports);
  forget_flows(after, after.ports);
  return {};
}

// Conntrack entries of UDP ports stay when the NAT rule is removed, so clients would send to the
// old owner, or to nobody, for minutes.
void ServiceImpl::forget_flows(const Endpoint& endpoint, std::span<const PublishedPort> ports) {
  std::vector<kernel::FlowFilter> filters;
  for (const PublishedPort& port : ports) {
    if (port.proto != Proto::kUdp) continue;
    std::optional<IpAddress> destination = port.host_ip;
    if (destination && destination->is_any()) destination.reset();
    filters.push_back({.destination = destination, .destination_port = port.host_port});
  }
  if (filters.empty()) return;
  if (auto forgotten = parts_.conntrack.forget(filters); !forgotten)
    log::warn("forget UDP flows",
              {{"endpoint", endpoint.id.substr(0, 12)}, {"error", forgotten.error().text}});
}

Result<std::vector<PortHolder>> ServiceImpl::list_ports() {
  std::vector<PortHolder> holders;
  TRY(auto networks, records_.networks());
  for (const Network& network : networks) {
    TRY(auto endpoints, records_.endpoints(network.id));
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
