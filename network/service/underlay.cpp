#include "network/service/underlay.h"

#include "base/fault.h"
#include "base/log.h"
#include "network/api/options.h"
#include "network/service/keys.h"

namespace fairlead::network {

Status Underlay::guard_tunnels() {
  return change_underlay([](UnderlayRecord& record) { record.port = OverlayParams().port; });
}

Status Underlay::guard_underlay(const std::vector<IpAddress>& hosts,
                                const std::vector<IfName>& wireguard_links) {
  return change_underlay([&](UnderlayRecord& record) {
    record = {.hosts = hosts, .wireguard_links = wireguard_links, .port = OverlayParams().port};
  });
}

// The record is stored first, so that a process that renders the table from then on renders the
// change.
Status Underlay::change_underlay(const std::function<void(UnderlayRecord&)>& change) {
  TRY(const auto guard, context_.lock_underlay());
  TRY(const UnderlayRecord before, context_.records.underlay());
  UnderlayRecord after = before;
  change(after);
  if (before == after) return {};
  TRY_STATUS(context_.commit({.puts = {{std::string(keys::kUnderlay), encode(after)}},
                              .durability = state::Durability::kDurable}));
  fault_point("network.underlay.recorded");
  return context_.firewall.change_underlay(before, after);
}

// Stores this host's present underlay address in the network's record, if it has changed since the
// network was made.
Status Underlay::move_tunnel(Stored<Network>& stored) {
  Network& network = stored.value;
  if (!network.overlay || context_.parts.cluster == nullptr) return {};
  const OverlayParams now = context_.parts.cluster->params_of({.id = network.id,
                                                               .name = network.name,
                                                               .vni = network.overlay->vni,
                                                               .mtu = network.mtu,
                                                               .options = to_map(network.options)});
  if (now.local == network.overlay->local) return {};
  log::warn("tunnel moved", {{"network", network.name.str()},
                             {"from", network.overlay->local.to_string()},
                             {"to", now.local.to_string()}});
  network.overlay->local = now.local;
  return context_.commit({.preconditions = {{keys::network(network.id), stored.revision}},
                          .puts = {{keys::network(network.id), encode(network)}},
                          .durability = state::Durability::kDurable});
}

}  // namespace fairlead::network
