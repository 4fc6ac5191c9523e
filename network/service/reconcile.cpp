// reconcile() makes the kernel match the store, and status() reports the same differences.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <set>
#include <thread>

#include "base/log.h"
#include "network/api/options.h"
#include "network/nat/nat.h"
#include "network/service/keys.h"
#include "network/service/service_impl.h"

namespace fairlead::network {

namespace {

// How long the repair of a table that may let packets through waits for the locks of networks.
constexpr std::chrono::milliseconds kMendDeadline{2000};
// How often status() compares again before it reports the table as altered.
constexpr int kMoreLooks = 3;
constexpr std::chrono::milliseconds kBetweenLooks{20};

void note(ReconcileReport& report, std::string action) {
  log::info("reconcile", {{"action", action}});
  report.actions.push_back(std::move(action));
}

std::string short_name_of(const Endpoint& endpoint) {
  return (endpoint.container.empty() ? endpoint.id : endpoint.container).substr(0, 12);
}

std::string name_of(const Network& network, const Endpoint& endpoint) {
  return fmt::format("endpoint {} of network {}", short_name_of(endpoint), network.name.str());
}

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// "addresses 10.0.0.2, 10.0.0.3": at most five by name.
std::string listed(std::string_view one, std::string_view many, std::vector<std::string> names) {
  constexpr std::size_t kMost = 5;
  if (names.size() == 1) return fmt::format("{} {}", one, names.front());
  const std::string more =
      names.size() > kMost ? fmt::format(" and {} more", names.size() - kMost) : "";
  names.resize(std::min(names.size(), kMost));
  return fmt::format("{} {}{}", many, fmt::join(names, ", "), more);
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
  // First, because it may let packets through.
  const bool whole =
      networks.empty() || mend_table(networks, kMendDeadline, report) != TableState::kWrong;
  for (const Network& network : networks) tidy_network(network, report);
  TRY(networks, records_.networks());
  tidy_pools(networks, report);
  tidy_orphans(networks, report);
  tidy_links(report);
  if (networks.empty()) {
    TRY_STATUS(firewall_.withdraw());
    return report;
  }
  if (whole)
    for (const Network& network : networks) tidy_ports(network, report);
  admit_everywhere(&report);
  return report;
}

Status ServiceImpl::ensure_links(Driver& driver, Network& network) {
  const DriverRecord before = network.links;
  Rollback undo;
  TRY_STATUS(driver.ensure(network, undo));
  undo.commit();
  return network.links == before ? Status() : context_.remember(network);
}

void ServiceImpl::tidy_network(const Network& listed, ReconcileReport& report) {
  const std::string what = fmt::format("network {}", listed.name.str());
  auto guard = lock_network(listed.id);
  if (!guard) return note_failure(report, what, guard.error());
  auto stored = records_.network(NetworkId{listed.id});
  if (!stored) return;  // the network was removed meanwhile
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
  const auto missing = (*driver)->missing(network);
  if (auto ensured = ensure_links(**driver, stored->value); !ensured)
    return note_failure(report, what, ensured.error());
  for (const std::string& link : missing)
    note(report, fmt::format("made {} of network {} again", link, network.name.str()));
  auto endpoints = records_.endpoints(network.id);
  if (!endpoints) return note_failure(report, what, endpoints.error());
  LockedNetwork held{std::move(*guard), network, stored->revision, *driver};
  for (const Endpoint& endpoint : *endpoints) tidy_endpoint(held, endpoint, report);
  tidy_leases(held.network, report);
}

void ServiceImpl::tidy_endpoint(LockedNetwork& held, const Endpoint& endpoint,
                                ReconcileReport& report) {
  if (drop_if_dead(held, endpoint, report) || !endpoint.joined) return;
  const std::string what = name_of(held.network, endpoint);
  const auto mended = held.driver->mend(held.network, endpoint);
  if (!mended) return note_failure(report, what, mended.error());
  if (*mended) note(report, fmt::format("put {} back into the bridge", what));
}

// What published ports need of the links, which somebody may have changed.
void ServiceImpl::tidy_ports(const Network& listed, ReconcileReport& report) {
  const std::string what = fmt::format("network {}", listed.name.str());
  const auto mend = [&]() -> Status {
    TRY(auto held, hold_at(listed.id, NetworkId{listed.id}, kLockDeadline));
    if (held.network.phase != Phase::kReady) return {};
    TRY(auto endpoints, records_.endpoints(held.network.id));
    std::erase_if(endpoints, [&](const Endpoint& endpoint) {
      return !endpoint.joined || endpoint.boot_id != parts_.boot_id;
    });
    const DriverRecord before = held.network.links;
    TRY(const auto done, held.driver->mend_ports(held.network, endpoints, context_));
    for (const std::string& action : done) note(report, action);
    return held.network.links == before ? Status() : context_.remember(held.network);
  };
  const Status mended = mend();
  const bool removed = !mended && mended.error().code == Code::kNotFound;
  if (!mended && !removed) note_failure(report, what, mended.error());
}

// Removes the endpoint if it is dead. Returns true also when the removal failed.
bool ServiceImpl::drop_if_dead(LockedNetwork& held, const Endpoint& endpoint,
                               ReconcileReport& report) {
  const std::string what = name_of(held.network, endpoint);
  const auto reason = reason_to_drop(held.network, endpoint);
  if (reason && reason->empty()) return false;
  const Status gone = reason ? discard(held, endpoint, Fate::kDead) : fail(reason.error());
  if (gone)
    note(report, fmt::format("removed {}: {}", what, *reason));
  else
    note_failure(report, what, gone.error());
  return true;
}

// In words; empty while the endpoint is in use, or may still be joined. A process that works on an
// endpoint holds the lock of its network. So with that lock held another phase than kReady was left
// by a crash; without it, the phase may be that of a call in progress.
Result<std::string> ServiceImpl::reason_to_drop(const Network& network, const Endpoint& endpoint) {
  if (endpoint.boot_id != parts_.boot_id) return std::string("it is of an earlier boot");
  if (endpoint.phase != Phase::kReady)
    return fmt::format("it was left in phase {}", to_string(endpoint.phase));
  const bool old = parts_.unix_time() - endpoint.created > kMoveTime;
  if (!endpoint.joined) return std::string(old ? "it was never joined" : "");
  TRY(Driver * driver, driver_of(network.options));
  TRY(const auto liveness, driver->liveness(network, endpoint));
  if (liveness == Liveness::kGone) return std::string("its container is gone");
  if (liveness == Liveness::kWaiting && old) return std::string("no container took its interface");
  return std::string();
}

// A time in the future counts as old, because the clock may have been set back.
bool ServiceImpl::is_old(long long since) const {
  const long long now = parts_.unix_time();
  return since > now || now - since > kMoveTime;
}

std::size_t ServiceImpl::tidy_leases(const Network& network, ReconcileReport& report) {
  const std::string name = network.name.str();
  const auto strays = stray_leases(network);
  if (!strays) {
    note_failure(report, "leases of network " + name, strays.error());
    return 0;
  }
  std::size_t adopted = 0, freed = 0;
  for (const auto& [each, endpoint_id] : strays->of_endpoints) {
    state::Txn txn;
    pass_on(each.pool, each.lease, endpoint_id).add_to(txn);
    if (commit(std::move(txn))) ++adopted;
  }
  if (adopted > 0)
    note(report, fmt::format("gave {} of network {} to the endpoints that have the addresses",
                             counted(adopted, "lease"), name));
  for (const auto& [pool, lease] : strays->nobodys) {
    state::Txn txn;
    Ipam::release_plan(pool, lease).add_to(txn);
    const Status done = commit(std::move(txn));
    // The lease has changed, so somebody has it by now.
    if (!done && done.error().code == Code::kConflict) continue;
    if (!done) {
      note_failure(report, lease.address.to_string(), done.error());
      continue;
    }
    give_back(network, std::array{Cidr::of(lease.address, pool.prefix_length())});
    note(report, fmt::format("freed address {} of network {}: no container has it",
                             lease.address.to_string(), name));
    ++freed;
  }
  return freed;
}

// Removes endpoints without a network, and claims of ports without an endpoint. No crash leaves
// them, but an earlier version or another program may have. They have no elements in the table,
// which is rendered from the endpoints of networks.
void ServiceImpl::tidy_orphans(const std::vector<Network>& networks, ReconcileReport& report) {
  std::set<std::string> ids;
  for (const Network& network : networks) ids.insert(network.id);
  const auto endpoints = records_.endpoints("");
  if (!endpoints) return note_failure(report, "endpoints", endpoints.error());
  for (const Endpoint& endpoint : *endpoints) {
    if (ids.contains(endpoint.network_id)) continue;
    const std::string what = fmt::format("endpoint {}", endpoint.id.substr(0, 12));
    if (auto gone = commit({.deletes = {keys::endpoint(endpoint.network_id, endpoint.id)}}); !gone)
      note_failure(report, what, gone.error());
    else
      note(report, fmt::format("removed {}: its network is gone", what));
  }
  const auto dropped = claims_.drop_strays();
  if (!dropped)
    note_failure(report, "published ports", dropped.error());
  else if (*dropped > 0)
    note(report,
         fmt::format("freed {} that no container publishes", counted(*dropped, "host port")));
}

// Waits until the endpoint's link is gone, if the path of its network namespace is. The kernel
// deletes the interfaces of a namespace some time after its last user has ended. A missing path
// does not prove that the container is gone, because the path may be in another mount namespace.
void ServiceImpl::await_vanishing(const LockedNetwork& held, const Endpoint& endpoint,
                                  std::chrono::steady_clock::time_point end) {
  std::error_code unreadable;
  if (endpoint.netns_path.empty() || std::filesystem::exists(endpoint.netns_path, unreadable))
    return;
  const auto alive = [&] {
    const auto liveness = held.driver->liveness(held.network, endpoint);
    return liveness && *liveness != Liveness::kGone;
  };
  while (alive() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

// Removes dead endpoints and stray leases and claims that keep a request from succeeding. This does
// not wait for the next reconcile, because without a daemon there is none. Returns whether anything
// was removed.
Result<bool> ServiceImpl::make_room(LockedNetwork& held, const Error& refusal,
                                    std::span<const PortSpec> ports) {
  if (refusal.code == Code::kInUse) return make_room_at_ports(held, ports);
  if (refusal.code != Code::kExists && refusal.code != Code::kExhausted) return false;
  ReconcileReport report;
  const auto end = std::chrono::steady_clock::now() + kVanishingTime;
  TRY(const auto endpoints, records_.endpoints(held.network.id));
  for (const Endpoint& endpoint : endpoints) {
    await_vanishing(held, endpoint, end);
    drop_if_dead(held, endpoint, report);
  }
  tidy_leases(held.network, report);
  return !report.actions.empty();
}

Result<bool> ServiceImpl::make_room_at_ports(LockedNetwork& held, std::span<const PortSpec> ports) {
  ReconcileReport report;
  bool orphaned = false;
  const auto end = std::chrono::steady_clock::now() + kVanishingTime;
  const auto look_at = [&](LockedNetwork& at, const std::string& endpoint_id) -> Status {
    TRY(const auto stored, records_.endpoint(at.network.id, endpoint_id));
    if (stored) {
      await_vanishing(at, stored->value, end);
      drop_if_dead(at, stored->value, report);
    }
    orphaned |= !stored;
    return {};
  };
  TRY(const auto holders, claims_.holders(ports));
  for (const PortOwner& holder : holders) {
    if (holder.network_id == held.network.id) {
      TRY_STATUS(look_at(held, holder.endpoint_id));
      continue;
    }
    auto other = hold_in_any_phase(NetworkId{holder.network_id}, kNestedDeadline);
    orphaned |= !other && other.error().code == Code::kNotFound;
    if (other) TRY_STATUS(look_at(*other, holder.endpoint_id));
  }
  if (!orphaned) return !report.actions.empty();
  TRY(const auto dropped, claims_.drop_strays());
  return dropped > 0 || !report.actions.empty();
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

Result<std::set<std::string>> ServiceImpl::recorded_links() {
  std::set<std::string> names;
  TRY(const auto networks, records_.networks());
  TRY(const auto endpoints, records_.endpoints(""));
  for (const auto& [mode, driver] : parts_.drivers) {
    for (const Network& network : networks)
      for (const IfName& name : driver->links_of(network)) names.insert(name.str());
    for (const Endpoint& endpoint : endpoints)
      for (const IfName& name : driver->links_of(endpoint)) names.insert(name.str());
  }
  return names;
}

// Removes links that are a driver's and have no record, because the store was lost or an older
// version crashed. The links are listed before the records, and records are committed before links
// are made, so a link without a record belongs to nobody, unless it has the mark of another store.
// When there are such links, links without a mark (of containers, and of older versions) may belong
// to that store as well, and stay.
void ServiceImpl::tidy_links(ReconcileReport& report) {
  std::vector<std::pair<Driver*, MadeLink>> all;
  for (const auto& [mode, driver] : parts_.drivers) {
    const auto made = driver->list_links();
    if (!made) return note_failure(report, "links", made.error());
    for (const MadeLink& link : *made) all.emplace_back(driver.get(), link);
  }
  const bool shared = std::ranges::any_of(
      all, [&](const auto& each) { return ownership_.is_foreign(each.second.alias); });
  const auto recorded = recorded_links();
  if (!recorded) return note_failure(report, "links", recorded.error());
  for (const auto& [driver, link] : all) {
    if (recorded->contains(link.name.str())) continue;
    if (shared && (ownership_.is_foreign(link.alias) || !find_mark(link.alias))) continue;
    if (auto gone = driver->remove_link(link.name); !gone)
      note_failure(report, link.name.str(), gone.error());
    else
      note(report, fmt::format("removed interface {}, which no record names", link.name.str()));
  }
}

// Lets the traffic of the networks pass other firewalls. Failures are logged and reported,
// and never make the caller fail.
void ServiceImpl::admit_everywhere(ReconcileReport* report) {
  std::vector<IfName> interfaces;
  const auto networks = records_.networks();
  if (!networks) return;
  for (const Network& network : *networks) {
    if (network.phase != Phase::kReady) continue;
    const FirewallLinks links = firewall_.links_of(network);
    interfaces.insert(interfaces.end(), links.interfaces.begin(), links.interfaces.end());
  }
  auto admitted = parts_.foreign_firewall.admit(interfaces);
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

// Reports stray leases and dead endpoints. No lock is held, so what looks like a stray may be about
// to change; each record is read a second time, and counts only when it is unchanged.
Status ServiceImpl::look_for_strays(const Network& network, ServiceStatus& status) {
  std::vector<std::string> addresses, containers;
  TRY(const auto strays, stray_leases(network));
  for (const auto& [pool, lease] : strays.nobodys) {
    TRY(const auto now, ipam_.find_lease(pool, lease.address));
    if (now == lease) addresses.push_back(lease.address.to_string());
  }
  TRY(const auto endpoints, records_.endpoints(network.id));
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.phase != Phase::kReady) continue;
    TRY(const auto reason, reason_to_drop(network, endpoint));
    if (reason.empty()) continue;
    TRY(const auto now, records_.endpoint(network.id, endpoint.id));
    if (now && now->value == endpoint) containers.push_back(short_name_of(endpoint));
  }
  if (!addresses.empty())
    status.problems.push_back(
        fmt::format("no container has {} of network {}; `fairlead reconcile` frees {}",
                    listed("address", "addresses", addresses), network.name.str(),
                    addresses.size() == 1 ? "it" : "them"));
  if (!containers.empty())
    status.problems.push_back(
        fmt::format("{} of network {} lost {}; `fairlead reconcile` removes {}",
                    listed("endpoint", "endpoints", containers), network.name.str(),
                    containers.size() == 1 ? "its container" : "their containers",
                    containers.size() == 1 ? "it" : "them"));
  return {};
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
  TRY(status.leases, ipam_.count_leases());
  TRY(const auto stray_claims, claims_.count_strays());
  if (stray_claims > 0)
    status.problems.push_back(
        fmt::format("no container publishes {} that {} taken; `fairlead reconcile` frees {}",
                    counted(stray_claims, "host port"), stray_claims == 1 ? "is" : "are",
                    stray_claims == 1 ? "it" : "them"));
  for (const Network& network : networks) {
    if (network.phase == Phase::kReady) TRY_STATUS(look_for_strays(network, status));
    if (network.phase != Phase::kReady)
      status.problems.push_back(fmt::format("network {} is {}; `fairlead reconcile` finishes it",
                                            network.name.str(), to_string(network.phase)));
    else if (const auto driver = driver_of(network.options))
      for (const std::string& link : (*driver)->missing(network))
        status.problems.push_back(
            fmt::format("{} of network {} is missing; `fairlead reconcile` makes it again", link,
                        network.name.str()));
  }
  TRY(const auto other_owner, ownership_.other_owner());
  if (other_owner) status.problems.push_back(ownership_.refusal(*other_owner).text);
  if (!networks.empty() && !other_owner) {
    auto differs = firewall_.difference();
    // While an endpoint is being attached or detached, the table differs for some milliseconds.
    for (int again = 0; again < kMoreLooks && differs && !differs->empty(); ++again) {
      std::this_thread::sleep_for(kBetweenLooks);
      differs = firewall_.difference();
    }
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
  if (const auto rendered = firewall_.renderings(); rendered.count > 0)
    status.notes.push_back(
        fmt::format("the nftables table was rendered again {} time{} since the start, at last: {}",
                    rendered.count, rendered.count == 1 ? "" : "s", rendered.last_reason));
  return status;
}

}  // namespace fairlead::network
