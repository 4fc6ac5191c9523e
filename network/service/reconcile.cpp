// Reconcile: the kernel follows the store. And status, which looks at the same things.
#include <algorithm>
#include <set>

#include "base/log.h"
#include "network/api/options.h"
#include "network/nat/nat.h"
#include "network/service/keys.h"
#include "network/service/service_impl.h"

namespace fairlead::network {

namespace {

// How long the runtime may take to put a link that it left in the host's namespace into a
// container, seconds.
constexpr long long kMoveTime = 60;

// How long an open table may wait for a network that somebody holds.
constexpr std::chrono::milliseconds kMendDeadline{2000};

void note(ReconcileReport& report, std::string action) {
  log::info("reconcile", {{"action", action}});
  report.actions.push_back(std::move(action));
}

void note_failure(ReconcileReport& report, std::string_view what, const Error& error) {
  log::error("reconcile", {{"object", what}, {"error", error.text}});
  report.failures.push_back(fmt::format("{}: {}", what, error.text));
}

}  // namespace

Result<ReconcileReport> ServiceImpl::reconcile() {
  ReconcileReport report;
  TRY(auto guard, lock_networks());
  TRY_STATUS(ownership_.claim());
  TRY(auto networks, records_.networks());
  const bool whole = networks.empty() || mend_table(networks, report);  // first: it may be open
  for (const Network& network : networks) tidy_network(network, report);
  TRY(networks, records_.networks());
  tidy_pools(networks, report);
  tidy_links(report);
  if (networks.empty()) {
    TRY_STATUS(firewall_.withdraw());
    return report;
  }
  if (whole)
    for (const Network& network : networks) tidy_loopback(network, report);
  admit_everywhere(&report);
  return report;
}

// Elements of what is being attached or detached at this moment look like a difference, and a table
// rendered then would keep those of an endpoint that goes: what differs is looked at again while
// nothing can change. A network that is held for long must not keep the table open. Returns whether
// the table is as it should be.
bool ServiceImpl::mend_table(const std::vector<Network>& networks, ReconcileReport& report) {
  if (const auto differs = firewall_.difference(); differs && differs->empty()) return true;
  std::vector<NamedLocks::Guard> guards;
  for (const Network& network : networks) {
    auto guard = lock_network(network.id, kMendDeadline);
    if (!guard) break;
    guards.push_back(std::move(*guard));
  }
  const auto mended = firewall_.repair();
  if (!mended) {
    note_failure(report, "firewall table", mended.error());
    return false;
  }
  if (mended->empty()) return true;
  note(report, fmt::format("rendered the firewall table again: {}", *mended));
  const std::scoped_lock hold_notes(notes_guard_);
  ++renderings_;
  rendered_because_ = *mended;
  return true;
}

void ServiceImpl::tidy_network(const Network& listed, ReconcileReport& report) {
  const std::string what = fmt::format("network {}", listed.name.str());
  auto guard = lock_network(listed.id);
  if (!guard) return note_failure(report, what, guard.error());
  auto stored = records_.network({listed.id});
  if (!stored) return;  // removed meanwhile
  const Network& network = stored->value;
  if (network.phase != Phase::kReady) {
    const Status purged = purge_network(network);
    if (!purged) return note_failure(report, what, purged.error());
    return note(report, fmt::format("removed network {}, left in phase {}", network.name.str(),
                                    to_string(network.phase)));
  }
  auto driver = driver_of(network.options);
  if (!driver) return note_failure(report, what, driver.error());
  if (auto moved = move_tunnel(*stored); !moved) return note_failure(report, what, moved.error());
  auto kept = keep_bridge_mac(stored->value);
  if (!kept) return note_failure(report, what, kept.error());
  if (*kept)
    if (auto noted = store(network); !noted) return note_failure(report, what, noted.error());
  const bool was_there = parts_.links.find(network.bridge).has_value();
  const bool had_tunnel =
      !network.overlay || parts_.links.find(overlay_device(*network.overlay)).has_value();
  Rollback undo;
  if (auto ensured = (*driver)->ensure(network, undo); !ensured)
    return note_failure(report, what, ensured.error());
  undo.commit();
  if (!was_there)
    note(report, fmt::format("made bridge {} of network {} again", network.bridge.str(),
                             network.name.str()));
  if (!had_tunnel)
    note(report, fmt::format("made tunnel {} of network {} again",
                             overlay_device(*network.overlay).str(), network.name.str()));
  auto endpoints = records_.endpoints(network.id);
  if (!endpoints) return note_failure(report, what, endpoints.error());
  Held held{std::move(*guard), network, stored->revision, *driver};
  for (const Endpoint& endpoint : *endpoints) tidy_endpoint(held, endpoint, report);
}

void ServiceImpl::tidy_endpoint(Held& held, const Endpoint& endpoint, ReconcileReport& report) {
  const std::string what =
      fmt::format("endpoint {} of network {}", endpoint.id.substr(0, 12), held.network.name.str());
  const auto drop = [&](std::string_view why) {
    if (auto gone = discard(held, endpoint); !gone) return note_failure(report, what, gone.error());
    note(report, fmt::format("removed {}: {}", what, why));
  };
  if (endpoint.boot_id != parts_.boot_id) return drop("it is of an earlier boot");
  if (endpoint.phase != Phase::kReady)
    return drop(fmt::format("it was left in phase {}", to_string(endpoint.phase)));
  const bool old = parts_.unix_time() - endpoint.created > kMoveTime;
  if (!endpoint.joined) {
    if (old) drop("it was never joined");
    return;
  }
  const auto liveness = held.driver->liveness(held.network, endpoint);
  if (!liveness) return note_failure(report, what, liveness.error());
  if (*liveness == Liveness::kGone) return drop("its container is gone");
  if (*liveness == Liveness::kWaiting && old) return drop("no container took its interface");
  const auto mended = held.driver->mend(held.network, endpoint);
  if (!mended) return note_failure(report, what, mended.error());
  if (*mended) note(report, fmt::format("put {} back into the bridge", what));
}

void ServiceImpl::tidy_loopback(const Network& listed, ReconcileReport& report) {
  const std::string what = fmt::format("network {}", listed.name.str());
  auto guard = lock_network(listed.id);
  if (!guard) return note_failure(report, what, guard.error());
  auto stored = records_.network({listed.id});
  if (!stored || stored->value.phase != Phase::kReady) return;
  const auto mended = mend_loopback(stored->value);
  if (!mended) return note_failure(report, what, mended.error());
  if (*mended)
    note(report, fmt::format("set route_localnet of bridge {} as its published ports need it",
                             stored->value.bridge.str()));
}

void ServiceImpl::tidy_pools(const std::vector<Network>& networks, ReconcileReport& report) {
  std::set<std::string> ids;
  for (const Network& network : networks) ids.insert(network.id);
  const auto pools = ipam_.list_pools();
  if (!pools) return note_failure(report, "address pools", pools.error());
  for (const PoolRecord& pool : *pools) {
    if (!pool.network.empty() && !ids.contains(pool.network)) {
      if (auto gone = ipam_.remove_pool(pool.subnet); !gone)
        note_failure(report, pool.subnet.to_string(), gone.error());
      else
        note(report,
             fmt::format("removed the pool {} of a network that is gone", pool.subnet.to_string()));
      continue;
    }
    if (auto dropped = ipam_.drop_void_leases(pool.subnet); !dropped)
      note_failure(report, pool.subnet.to_string(), dropped.error());
    else if (*dropped > 0)
      note(report, fmt::format("dropped {} leases of an earlier boot in {}", *dropped,
                               pool.subnet.to_string()));
  }
}

// Links that carry our names and have no record: a store that was lost, or a crash of an older
// kind. The links are listed before the records, and intents are committed before links are made:
// what has no record now is nobody's, unless it carries the mark of another store; with such links
// about, those without a mark (of containers, and of older versions) may be its as well.
void ServiceImpl::tidy_links(ReconcileReport& report) {
  const auto links = parts_.links.list();
  if (!links) return note_failure(report, "links", links.error());
  const bool shared = std::ranges::any_of(
      *links, [&](const kernel::Link& link) { return ownership_.is_foreign(link.alias); });
  std::set<std::string> known;
  const auto networks = records_.networks();
  const auto endpoints = records_.endpoints("");
  if (!networks || !endpoints) return;
  for (const Network& network : *networks) {
    known.insert(network.bridge.str());
    if (network.overlay) known.insert(overlay_device(*network.overlay).str());
  }
  for (const Endpoint& endpoint : *endpoints) known.insert(endpoint.host_ifname.str());
  for (const kernel::Link& link : *links) {
    const bool veth = link.kind == "veth" && link.name.starts_with("flh") && link.name.size() == 15;
    const bool bridge = link.kind == "bridge" && link.name.starts_with("fl-") &&
                        link.alias.starts_with("fairlead ");
    const bool tunnel =
        link.kind == "vxlan" && link.name.starts_with("flx") && link.alias.starts_with("fairlead ");
    if ((!veth && !bridge && !tunnel) || known.contains(link.name)) continue;
    if (shared && (ownership_.is_foreign(link.alias) || !find_mark(link.alias))) continue;
    const auto name = IfName::parse(link.name);
    if (!name) continue;
    if (auto gone = parts_.links.remove(*name); !gone)
      note_failure(report, link.name, gone.error());
    else
      note(report, fmt::format("removed interface {}, which no record names", link.name));
  }
}

// Lets our bridges pass other firewalls. Trouble there is told, and never fails the caller's work.
void ServiceImpl::admit_everywhere(ReconcileReport* report) {
  std::vector<IfName> bridges;
  const auto networks = records_.networks();
  if (!networks) return;
  for (const Network& network : *networks)
    if (network.phase == Phase::kReady) bridges.push_back(network.bridge);
  auto admitted = parts_.foreign_firewall.admit(bridges);
  if (!admitted) {
    log::warn("other firewall", {{"error", admitted.error().text}});
    if (report != nullptr) report->failures.push_back(admitted.error().text);
    return;
  }
  const std::scoped_lock hold_notes(notes_guard_);
  for (const std::string& line : *admitted)
    if (std::ranges::find(notes_, line) == notes_.end())
      log::info("other firewall", {{"action", line}});
  notes_ = std::move(*admitted);
}

Result<ServiceStatus> ServiceImpl::status() {
  ServiceStatus status;
  TRY(auto networks, records_.networks());
  TRY(auto endpoints, records_.endpoints(""));
  TRY(auto pools, ipam_.list_pools());
  status.networks = networks.size();
  status.endpoints = endpoints.size();
  status.pools = pools.size();
  for (const Endpoint& endpoint : endpoints) status.ports += endpoint.ports.size();
  TRY(status.leases, records_.count("lease/"));
  for (const Network& network : networks) {
    if (network.phase != Phase::kReady)
      status.problems.push_back(fmt::format("network {} is {}; `fairlead reconcile` finishes it",
                                            network.name.str(), to_string(network.phase)));
    else if (!parts_.links.find(network.bridge))
      status.problems.push_back(
          fmt::format("bridge {} of network {} is missing; `fairlead reconcile` makes it again",
                      network.bridge.str(), network.name.str()));
  }
  TRY(const auto other_owner, ownership_.other_owner());
  if (other_owner) status.problems.push_back(ownership_.refusal(*other_owner).text);
  if (!networks.empty() && !other_owner) {
    const auto differs = firewall_.difference();
    if (!differs)
      status.problems.push_back(differs.error().text);
    else if (!differs->empty())
      status.problems.push_back(
          fmt::format("the nftables table is not as it was written: {}; `fairlead reconcile` "
                      "renders it again",
                      *differs));
  }
  const std::scoped_lock hold_notes(notes_guard_);
  status.notes = notes_;
  if (renderings_ > 0)
    status.notes.push_back(
        fmt::format("the nftables table was rendered again {} time{} since the start, at last: {}",
                    renderings_, renderings_ == 1 ? "" : "s", rendered_because_));
  return status;
}

}  // namespace fairlead::network
