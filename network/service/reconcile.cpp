// reconcile(): everything is compared and made right.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/log.h"
#include "network/api/options.h"
#include "network/service/keys.h"
#include "network/service/reconciler.h"
#include "network/service/report.h"

namespace fairlead::network {

namespace {

// How long the repair of a table that may let packets through waits for the locks of networks.
constexpr std::chrono::milliseconds kMendDeadline{2000};

}  // namespace

Result<ReconcileReport> Reconciler::reconcile() {
  ReconcileReport report;
  TRY(auto guard, context_.lock_networks());
  TRY_STATUS(context_.ownership.claim());
  TRY(auto networks, context_.records.networks());
  // First, because it may let packets through.
  TRY(const bool holds_strangers, context_.firewall.holds_strangers());
  const bool whole = (networks.empty() && !holds_strangers) ||
                     mend_table(networks, kMendDeadline, report) != TableState::kWrong;
  for (const Network& network : networks) tidy_network(network, Unfinished::kRemove, report);
  TRY(networks, context_.records.networks());
  tidy_pools(networks, report);
  tidy_orphans(networks, report);
  tidy_links(report);
  mend_uplinks(networks, report);
  follow_routes(report);
  if (networks.empty()) {
    TRY_STATUS(context_.firewall.withdraw());
    if (auto gone = other_firewalls_.withdraw_left_overs(); !gone)
      note_failure(report, "other firewalls", gone.error());
    return report;
  }
  if (whole)
    for (const Network& network : networks) tidy_ports(network, report);
  other_firewalls_.admit(&report);
  return report;
}

Status Reconciler::ensure_links(Driver& driver, Network& network) {
  const DriverRecord before = network.links;
  Rollback undo;
  TRY_STATUS(driver.ensure(network, undo));
  undo.commit();
  return network.links == before ? Status() : context_.for_drivers.remember(network);
}

void Reconciler::tidy_network(const Network& listed, Unfinished unfinished,
                              ReconcileReport& report) {
  const std::string what = fmt::format("network {}", listed.name.str());
  auto guard = context_.lock_network(listed.id);
  if (!guard) return note_failure(report, what, guard.error());
  auto stored = context_.records.network(NetworkId{listed.id});
  if (!stored) return;  // the network was removed meanwhile
  const Network& network = stored->value;
  if (network.phase != Phase::kReady) {
    if (unfinished == Unfinished::kLeave) return;
    const Status purged = removal_.purge_network(network);
    if (!purged) return note_failure(report, what, purged.error());
    return note(report, fmt::format("removed network {}, left in phase {}", network.name.str(),
                                    to_string(network.phase)));
  }
  auto driver = context_.driver_of(network.options);
  if (!driver) return note_failure(report, what, driver.error());
  if (auto moved = underlay_.move_tunnel(*stored); !moved)
    return note_failure(report, what, moved.error());
  const auto missing = (*driver)->missing(network);
  if (auto ensured = ensure_links(**driver, stored->value); !ensured)
    return note_failure(report, what, ensured.error());
  for (const std::string& link : missing)
    note(report, fmt::format("made {} of network {} again", link, network.name.str()));
  auto endpoints = context_.records.endpoints(network.id);
  if (!endpoints) return note_failure(report, what, endpoints.error());
  LockedNetwork held{std::move(*guard), network, stored->revision, *driver};
  for (const Endpoint& endpoint : *endpoints) tidy_endpoint(held, endpoint, report);
  collector_.tidy_leases(held.network, report);
  if (auto found = ports_.find_heirs(held.network); !found)
    note_failure(report, what, found.error());
}

void Reconciler::tidy_endpoint(LockedNetwork& held, const Endpoint& endpoint,
                               ReconcileReport& report) {
  if (collector_.drop_if_dead(held, endpoint, report) || !endpoint.joined) return;
  const std::string what = name_of(held.network, endpoint);
  const auto mended = held.driver->mend(held.network, endpoint);
  if (!mended) return note_failure(report, what, mended.error());
  if (*mended) note(report, fmt::format("put {} back into the bridge", what));
}

// What published ports need of the links, which somebody may have changed.
void Reconciler::tidy_ports(const Network& listed, ReconcileReport& report) {
  const std::string what = fmt::format("network {}", listed.name.str());
  const auto mend = [&]() -> Status {
    TRY(auto held, context_.hold_at(listed.id, NetworkId{listed.id}, kLockDeadline));
    if (held.network.phase != Phase::kReady) return {};
    TRY(auto endpoints, context_.records.endpoints(held.network.id));
    std::erase_if(endpoints, [&](const Endpoint& endpoint) {
      return !endpoint.joined || endpoint.boot_id != context_.parts.boot_id;
    });
    const DriverRecord before = held.network.links;
    TRY(const auto done, held.driver->mend_ports(held.network, endpoints, context_.for_drivers));
    for (const std::string& action : done) note(report, action);
    return held.network.links == before ? Status() : context_.for_drivers.remember(held.network);
  };
  const Status mended = mend();
  const bool removed = !mended && mended.error().code == Code::kNotFound;
  if (!mended && !removed) note_failure(report, what, mended.error());
}

// Removes endpoints without a network, and claims of ports without an endpoint. No crash leaves
// them, but an earlier version or another program may have. They have no elements in the table,
// which is rendered from the endpoints of networks.
void Reconciler::tidy_orphans(const std::vector<Network>& networks, ReconcileReport& report) {
  std::set<std::string> ids;
  for (const Network& network : networks) ids.insert(network.id);
  const auto endpoints = context_.records.endpoints("");
  if (!endpoints) return note_failure(report, "endpoints", endpoints.error());
  for (const Endpoint& endpoint : *endpoints) {
    if (ids.contains(endpoint.network_id)) continue;
    const std::string what = fmt::format("endpoint {}", endpoint.id.substr(0, 12));
    if (auto gone =
            context_.commit({.deletes = {keys::endpoint(endpoint.network_id, endpoint.id)}});
        !gone)
      note_failure(report, what, gone.error());
    else
      note(report, fmt::format("removed {}: its network is gone", what));
  }
  const auto dropped = context_.claims.drop_strays();
  if (!dropped)
    note_failure(report, "published ports", dropped.error());
  else if (*dropped > 0)
    note(report,
         fmt::format("freed {} that no container publishes", counted(*dropped, "host port")));
  regain_claims(report);
}

// Claims again the ports that endpoints publish without a claim. The claims are listed before the
// endpoints, so one that looks lost may be of an endpoint that was made meanwhile: its record is read
// again under its network's lock, where a claim that is there changes nothing.
void Reconciler::regain_claims(ReconcileReport& report) {
  const auto lost = find_lost_claims();
  if (!lost) return note_failure(report, "published ports", lost.error());
  for (const LostClaim& each : *lost) {
    const std::string what =
        fmt::format("port {}/{} of {}", each.port.host_port, to_string(each.port.proto),
                    context_.records.describe(each.network_id, each.endpoint_id));
    const auto done = regain_claim(each);
    if (!done)
      note_failure(report, what, done.error());
    else if (*done)
      note(report, fmt::format("claimed {} again: its claim was lost", what));
  }
}

Result<std::vector<state::Record>> Reconciler::list_claims() {
  TRY(auto claims, context_.parts.store.list(keys::kPorts));
  TRY(auto ranges, context_.parts.store.list(keys::kPortRanges));
  std::ranges::move(ranges, std::back_inserter(claims));
  return claims;
}

Result<std::vector<LostClaim>> Reconciler::find_lost_claims() {
  TRY(const auto claims, list_claims());
  TRY(const auto endpoints, context_.records.endpoints(""));
  return lost_claims(claims, endpoints, context_.parts.boot_id);
}

Result<bool> Reconciler::regain_claim(const LostClaim& lost) {
  const NetworkId id{lost.network_id};
  const auto held = context_.hold_at(lost.network_id, id, kLockDeadline);
  if (!held && held.error().code == Code::kNotFound) return false;
  if (!held) return fail(held.error());
  TRY(const auto endpoint, context_.records.endpoint(lost.network_id, lost.endpoint_id));
  if (!endpoint) return false;
  TRY(const auto claims, list_claims());
  TRY(const auto still, lost_claims(claims, {endpoint->value}, context_.parts.boot_id));
  if (std::ranges::find(still, lost.port, &LostClaim::port) == still.end()) return false;
  const PortSpec again{
      .proto = lost.port.proto,
      .host_ip = lost.port.host_ip,
      .host_port = lost.port.host_port,
      .host_port_end = lost.port.host_port_end,
      .container_port = lost.port.container_port,
      .container_port_end = lost.port.is_range() ? lost.port.container_last() : std::uint16_t{0}};
  state::Txn txn{
      .preconditions = {{keys::endpoint(lost.network_id, lost.endpoint_id), endpoint->revision}}};
  const auto claimant = PortClaimant::of(endpoint->value, held->network);
  TRY(const auto claimed, context_.claims.plan(claimant, {&again, 1}, {}, txn));
  TRY_STATUS(context_.commit(std::move(txn)));
  TRY_STATUS(context_.claims.confirm(claimant, claimed));
  return true;
}

void Reconciler::tidy_pools(const std::vector<Network>& networks, ReconcileReport& report) {
  std::set<std::string> ids;
  for (const Network& network : networks) ids.insert(network.id);
  const auto pools = context_.ipam.list_pools();
  if (!pools) return note_failure(report, "address pools", pools.error());
  for (const PoolRecord& pool : *pools) {
    if (!pool.network.empty() && !ids.contains(pool.network)) {
      if (auto gone = context_.ipam.remove_pool(pool.subnet); !gone)
        note_failure(report, pool.subnet.to_string(), gone.error());
      else
        note(report,
             fmt::format("removed the pool {} of a network that is gone", pool.subnet.to_string()));
      continue;
    }
    if (auto dropped = context_.ipam.drop_void_leases(pool.subnet); !dropped)
      note_failure(report, pool.subnet.to_string(), dropped.error());
    else if (*dropped > 0)
      note(report, fmt::format("dropped {} leases of an earlier boot in {}", *dropped,
                               pool.subnet.to_string()));
  }
}

Result<std::set<std::string>> Reconciler::recorded_links() {
  std::set<std::string> names;
  TRY(const auto networks, context_.records.networks());
  TRY(const auto endpoints, context_.records.endpoints(""));
  for (const auto& [mode, driver] : context_.parts.drivers) {
    for (const Network& network : networks)
      for (const IfName& name : driver->links_of(network)) names.insert(name.str());
    for (const Endpoint& endpoint : endpoints)
      for (const IfName& name : driver->links_of(endpoint)) names.insert(name.str());
  }
  return names;
}

// Links that are a driver's and have no record, because the store was lost or an older
// version crashed. The links are listed before the records, and records are committed before links
// are made, so a link without a record belongs to nobody, unless it has the mark of another store.
// When there are such links, links without a mark (of containers, and of older versions) may belong
// to that store as well, and are none.
Result<std::vector<Reconciler::LeftLink>> Reconciler::left_links() {
  std::vector<std::pair<Driver*, MadeLink>> all;
  for (const auto& [mode, driver] : context_.parts.drivers) {
    TRY(const auto made, driver->list_links());
    for (const MadeLink& link : made) all.emplace_back(driver.get(), link);
  }
  const bool shared = std::ranges::any_of(
      all, [&](const auto& each) { return context_.ownership.is_foreign(each.second.alias); });
  TRY(const auto recorded, recorded_links());
  std::vector<LeftLink> left;
  for (const auto& [driver, link] : all) {
    if (recorded.contains(link.name.str())) continue;
    if (shared && (context_.ownership.is_foreign(link.alias) || !find_mark(link.alias))) continue;
    left.push_back({driver, link.name});
  }
  return left;
}

void Reconciler::tidy_links(ReconcileReport& report) {
  const auto left = left_links();
  if (!left) return note_failure(report, "links", left.error());
  for (const LeftLink& link : *left) {
    if (auto gone = link.driver->remove_link(link.name); !gone)
      note_failure(report, link.name.str(), gone.error());
    else
      note(report, fmt::format("removed interface {}, which no record names", link.name.str()));
  }
}

}  // namespace fairlead::network
