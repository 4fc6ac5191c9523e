#include "network/drivers/route_localnet.h"

#include <algorithm>

#include "base/fault.h"
#include "network/drivers/bridge_record.h"

namespace fairlead::network {

namespace {

// Whether one of the endpoint's ports is published on 127.0.0.1, which includes ports published on
// every address of the host.
bool answers_on_loopback(const Network& network, const Endpoint& endpoint) {
  const GatewayMode mode = network.options.gateway_mode_v4;
  if (network.internal || mode == GatewayMode::kIsolated || mode == GatewayMode::kRouted)
    return false;
  const bool target = std::ranges::any_of(endpoint.addresses, &Cidr::is_v4);
  return target && std::ranges::any_of(endpoint.ports, [](const PublishedPort& port) {
           return !port.host_ip || (port.host_ip->family() == Family::kV4 &&
                                    (port.host_ip->is_any() || port.host_ip->is_loopback()));
         });
}

}  // namespace

bool RouteLocalnet::may_shut(const Network& network) const {
  const BridgeRecord record = BridgeRecord::of(network);
  return !record.foreign || (record.localnet_opened && record.boot == boot_id_);
}

Status RouteLocalnet::open(Network& network, const Endpoint& endpoint, NetworkContext& context) {
  if (!answers_on_loopback(network, endpoint)) return {};
  BridgeRecord record = BridgeRecord::of(network);
  TRY(const kernel::Link bridge, links_.find(record.bridge));
  if (bridge.route_localnet) return {};
  if (!may_shut(network)) {
    record.localnet_opened = true;
    record.boot = boot_id_;
    network.links = record.text();
    TRY_STATUS(context.remember(network));
    fault_point("network.loopback.recorded");
  }
  TRY_STATUS(links_.set_route_localnet(bridge.index, true));
  fault_point("network.loopback.opened");
  return {};
}

Status RouteLocalnet::close(Network& network, const Endpoint& before, const Endpoint& after,
                            NetworkContext& context) {
  if (!answers_on_loopback(network, before) || !may_shut(network)) return {};
  if (after.joined && answers_on_loopback(network, after)) return {};
  TRY(const bool needed, context.any_publisher(network, [&](const Endpoint& endpoint) {
    return endpoint.id != after.id && answers_on_loopback(network, endpoint);
  }));
  if (needed) return {};
  TRY_STATUS(shut(network));
  BridgeRecord record = BridgeRecord::of(network);
  if (!std::exchange(record.localnet_opened, false)) return {};
  network.links = record.text();
  return context.remember(network);
}

Result<std::vector<std::string>> RouteLocalnet::mend(Network& network,
                                                     std::span<const Endpoint> endpoints,
                                                     NetworkContext& context) {
  BridgeRecord record = BridgeRecord::of(network);
  const auto bridge = links_.find(record.bridge);
  if (!bridge) return std::vector<std::string>();  // a missing bridge is reported elsewhere
  const auto needing = std::ranges::find_if(
      endpoints, [&](const Endpoint& endpoint) { return answers_on_loopback(network, endpoint); });
  const bool wanted = needing != endpoints.end();
  const bool may_change = wanted || may_shut(network);
  if (wanted) TRY_STATUS(open(network, *needing, context));
  if (!wanted && may_change) {
    TRY_STATUS(shut(network));
    record.localnet_opened = false;
    network.links = record.text();
  }
  if (!may_change || wanted == bridge->route_localnet) return std::vector<std::string>();
  return std::vector{
      fmt::format("set route_localnet of bridge {} as its published ports need it", bridge->name)};
}

Status RouteLocalnet::shut(const Network& network) {
  if (!may_shut(network)) return {};
  const auto bridge = links_.find(BridgeRecord::of(network).bridge);
  if (!bridge && bridge.error().code == Code::kNotFound) return {};
  if (!bridge) return fail(bridge.error());
  if (!bridge->route_localnet) return {};
  TRY_STATUS(links_.set_route_localnet(bridge->index, false));
  fault_point("network.loopback.shut");
  return {};
}

}  // namespace fairlead::network
