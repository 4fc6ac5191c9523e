#include "network/drivers/route_localnet.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "network/drivers/bridge_record.h"

namespace fairlead::network {

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
  return open_link(bridge);
}

Status RouteLocalnet::open_link(const kernel::Link& link) {
  TRY(const bool harmless, guard(link));
  if (!harmless) return {};
  fault_point("network.loopback.guarded");
  TRY_STATUS(links_.set_route_localnet(link.index, true));
  fault_point("network.loopback.opened");
  return {};
}

// Whether route_localnet may be on. A kernel without such filters has the rules of nftables alone.
// Where somebody else's filter has the place, the ports stay closed on 127.0.0.1.
Result<bool> RouteLocalnet::guard(const kernel::Link& bridge) {
  const auto guarded = links_.guard_loopback(bridge.index);
  if (guarded) return true;
  const Error& error = guarded.error();
  if (error.code == Code::kUnsupported) {
    if (!told_.exchange(true))
      log::warn("only nftables keeps neighbours from 127.0.0.1", {{"cause", error.text}});
    return true;
  }
  if (error.code != Code::kInvalid && error.code != Code::kExists) return fail(error);
  log::warn("ports are not published on 127.0.0.1",
            {{"bridge", bridge.name}, {"cause", error.text}});
  return false;
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
  if (!wanted && !may_shut(network)) return std::vector<std::string>();
  std::vector<std::string> done;
  if (!wanted) {
    TRY_STATUS(shut(network));
    record.localnet_opened = false;
    network.links = record.text();
  } else if (!bridge->route_localnet) {
    TRY_STATUS(open(network, *needing, context));
  } else if (may_shut(network)) {
    TRY(done, mend_guard(*bridge));
  }
  TRY(const kernel::Link now, links_.find(bridge->index));
  if (now.route_localnet != bridge->route_localnet)
    done.push_back(fmt::format("set route_localnet of bridge {} as its published ports need it",
                               bridge->name));
  return done;
}

// Without its guard the bridge is not left open.
Result<std::vector<std::string>> RouteLocalnet::mend_guard(const kernel::Link& bridge) {
  const auto added = links_.guard_loopback(bridge.index);
  if (added && !*added) return std::vector<std::string>();
  if (added)
    return std::vector{
        fmt::format("kept packets of 127.0.0.0/8 out of bridge {} again", bridge.name)};
  const auto harmless = guard(bridge);
  if (!harmless || !*harmless) TRY_STATUS(links_.set_route_localnet(bridge.index, false));
  if (!harmless) return fail(harmless.error());
  return std::vector<std::string>();
}

std::string RouteLocalnet::problem(const Network& network) {
  const auto bridge = links_.find(BridgeRecord::of(network).bridge);
  if (!bridge || !bridge->route_localnet || !may_shut(network)) return {};
  const auto guarded = links_.has_loopback_guard(bridge->index);
  if (!guarded || *guarded) return {};
  return fmt::format(
      "bridge {} has no filter against packets of 127.0.0.0/8, only nftables keeps them out; "
      "`fairlead reconcile` adds it where the kernel has sch_ingress and cls_bpf",
      bridge->name);
}

Status RouteLocalnet::shut(const Network& network) {
  if (!may_shut(network)) return {};
  const BridgeRecord record = BridgeRecord::of(network);
  const auto bridge = links_.find(record.bridge);
  if (!bridge && bridge.error().code == Code::kNotFound) return {};
  if (!bridge) return fail(bridge.error());
  if (bridge->route_localnet) {
    TRY_STATUS(links_.set_route_localnet(bridge->index, false));
    fault_point("network.loopback.shut");
  }
  // On a bridge of its own it does no harm, and the next published port finds it there.
  return record.foreign ? links_.unguard_loopback(bridge->index) : Status();
}

}  // namespace fairlead::network
