// Settings that networks change on bridges: the MAC of somebody else's bridge is fixed, and
// route_localnet is on as long as ports are published on the host's 127.0.0.1.
#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "network/service/keys.h"
#include "network/service/service_impl.h"

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

Status ServiceImpl::store(const Network& network) {
  return commit({.puts = {{keys::network(network.id), encode(network)}},
                 .durability = state::Durability::kDurable});
}

// A bridge whose MAC was not set takes the lowest MAC of its ports, so the MAC of the containers'
// gateway would change when a container is removed.
Result<bool> ServiceImpl::keep_bridge_mac(Network& network) {
  if (!network.foreign_bridge) return false;
  const auto bridge = parts_.links.find(network.bridge);
  if (!bridge && bridge.error().code == Code::kNotFound) return false;  // the driver reports it
  if (!bridge) return fail(bridge.error());
  const bool first = network.bridge_boot != parts_.boot_id;
  if (!first && bridge->mac == network.bridge_mac) return false;
  TRY_STATUS(parts_.links.set_mac(bridge->index, bridge->mac));
  network.bridge_mac = bridge->mac;
  network.bridge_boot = parts_.boot_id;
  if (first) network.localnet_opened = false;
  return true;
}

Status ServiceImpl::ready_bridge(LockedNetwork& held) {
  TRY(const bool kept, keep_bridge_mac(held.network));
  if (!kept) return {};
  // The bridge was made again or the host was restarted, so the network's addresses are missing on
  // it as well.
  Rollback made;
  TRY_STATUS(held.driver->ensure(held.network, made));
  made.commit();
  return store(held.network);
}

bool ServiceImpl::may_shut_loopback(const Network& network) const {
  return !network.foreign_bridge ||
         (network.localnet_opened && network.bridge_boot == parts_.boot_id);
}

// For somebody else's bridge the record is stored first, so that after a crash it is known that the
// setting is Fairlead's.
Status ServiceImpl::open_loopback(Network& network, const Endpoint& endpoint) {
  if (!answers_on_loopback(network, endpoint)) return {};
  TRY(const kernel::Link bridge, parts_.links.find(network.bridge));
  if (bridge.route_localnet) return {};
  if (!may_shut_loopback(network)) {
    network.localnet_opened = true;
    network.bridge_boot = parts_.boot_id;
    TRY_STATUS(store(network));
    fault_point("network.loopback.recorded");
  }
  TRY_STATUS(parts_.links.set_route_localnet(bridge.index, true));
  fault_point("network.loopback.opened");
  return {};
}

Result<bool> ServiceImpl::needs_loopback(const Network& network, const std::string& without) {
  return records_.any_publisher(network.id, [&](const Endpoint& endpoint) {
    return endpoint.id != without && endpoint.joined && endpoint.boot_id == parts_.boot_id &&
           answers_on_loopback(network, endpoint);
  });
}

Status ServiceImpl::close_loopback(Network& network, const Endpoint& before,
                                   const std::string& without) {
  if (!answers_on_loopback(network, before) || !may_shut_loopback(network)) return {};
  TRY(const bool needed, needs_loopback(network, without));
  if (needed) return {};
  TRY_STATUS(shut_loopback(network));
  if (!std::exchange(network.localnet_opened, false)) return {};
  return store(network);
}

Status ServiceImpl::shut_loopback(const Network& network) {
  if (!may_shut_loopback(network)) return {};
  const auto bridge = parts_.links.find(network.bridge);
  if (!bridge && bridge.error().code == Code::kNotFound) return {};
  if (!bridge) return fail(bridge.error());
  if (!bridge->route_localnet) return {};
  TRY_STATUS(parts_.links.set_route_localnet(bridge->index, false));
  fault_point("network.loopback.shut");
  return {};
}

Result<bool> ServiceImpl::mend_loopback(Network& network) {
  const auto bridge = parts_.links.find(network.bridge);
  if (!bridge) return false;  // a missing bridge is reported elsewhere
  TRY(const auto endpoints, records_.endpoints(network.id));
  for (const Endpoint& endpoint : endpoints) {
    if (!endpoint.joined || endpoint.boot_id != parts_.boot_id ||
        !answers_on_loopback(network, endpoint))
      continue;
    TRY_STATUS(open_loopback(network, endpoint));
    return !bridge->route_localnet;
  }
  const bool shut = bridge->route_localnet && may_shut_loopback(network);
  if (shut) TRY_STATUS(shut_loopback(network));
  if (may_shut_loopback(network) && std::exchange(network.localnet_opened, false))
    TRY_STATUS(store(network));
  return shut;
}

}  // namespace fairlead::network
