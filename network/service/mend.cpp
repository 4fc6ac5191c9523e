// mend() repairs what an event of the kernel has told of, where reconcile() looks at everything.
#include <algorithm>

#include "base/log.h"
#include "network/service/reconciler.h"
#include "network/service/report.h"

namespace fairlead::network {

namespace {

// How long the repair of the table waits for calls that are at work. Afterwards the table may lack
// what such a call has changed, and has to be compared again.
constexpr std::chrono::milliseconds kMostWait{300};

bool contains(const std::vector<IfName>& links, const std::string& name) {
  return std::ranges::find(links, name, &IfName::str) != links.end();
}

// `links` are those that the network itself has.
std::vector<LinkDamage> damages_of(const std::vector<IfName>& links, const Damage& damage) {
  std::vector<LinkDamage> some;
  std::ranges::copy_if(damage.links, std::back_inserter(some), [&](const LinkDamage& each) {
    return contains(links, each.link) || contains(links, each.bridge);
  });
  if (damage.forwarding && !links.empty())
    some.push_back({links.front().str(), links.front().str(), "forwards no more"});
  return some;
}

bool has_setting(const std::vector<IfName>& links, const Damage& damage) {
  return std::ranges::any_of(
      links, [&](const IfName& link) { return damage.settings.contains(link.str()); });
}

}  // namespace

Result<ReconcileReport> Reconciler::mend(const Damage& damage) {
  ReconcileReport report;
  const auto guard = context_.lock_networks(kMostWait);
  if (!guard) report.failures.push_back(guard.error().text);
  TRY(const auto networks, context_.records.networks());
  TRY(const bool holds_strangers, context_.firewall.holds_strangers());
  if (networks.empty() && !holds_strangers) return report;
  if (damage.table && mend_table(networks, kMostWait, report) == TableState::kPerhapsStale)
    report.failures.emplace_back("a network is busy; the firewall table is compared again");
  for (const Network& network : networks) {
    if (network.phase != Phase::kReady) continue;  // its links come and go, and are somebody's work
    const auto driver = context_.driver_of(network.options);
    if (!driver) continue;
    const std::vector<IfName> links = (*driver)->links_of(network);
    const auto damages = damages_of(links, damage);
    if (!damages.empty()) mend_links(network, damages, report);
    if (!damages.empty() || has_setting(links, damage)) tidy_ports(network, report);
  }
  if (!damage.settings.empty()) mend_uplinks(networks, report);
  if (damage.routes) follow_routes(report);
  if (damage.other_firewalls && !networks.empty()) other_firewalls_.admit(&report);
  return report;
}

Result<ReconcileReport> Reconciler::look_around() {
  if (!context_.parts.foreign_firewall.changed()) return ReconcileReport();
  return mend({.other_firewalls = true});
}

// Repairs the table. One that is gone is written at once. An endpoint that is being attached or detached at this moment looks like a
// difference, and a table rendered then would keep the elements of an endpoint that is being
// removed. So after a difference the table is compared again with the networks locked. A network
// whose lock is held for long must not delay the repair; the table may then lack the latest changes
// of that network until it is compared again.
Reconciler::TableState Reconciler::mend_table(const std::vector<Network>& networks,
                                              std::chrono::milliseconds most_wait,
                                              ReconcileReport& report) {
  const auto restored = context_.firewall.restore();
  const bool was_gone = restored && !restored->empty();
  if (was_gone) {
    report.actions.push_back(fmt::format("rendered the firewall table again: {}", *restored));
  } else if (const auto differs = context_.firewall.difference(); differs && differs->empty()) {
    if (const Status tidied = context_.firewall.tidy(); !tidied)
      note_failure(report, "firewall table", tidied.error());
    return TableState::kRight;
  }
  std::vector<NamedLocks::Guard> guards;
  TableState state = TableState::kRight;
  const auto end = std::chrono::steady_clock::now() + most_wait;
  const auto keep = [&](Result<NamedLocks::Guard> guard) {
    if (guard)
      guards.push_back(std::move(*guard));
    else
      state = TableState::kPerhapsStale;
  };
  const auto rest = [&] {
    return std::max(std::chrono::milliseconds(0),
                    std::chrono::duration_cast<std::chrono::milliseconds>(
                        end - std::chrono::steady_clock::now()));
  };
  for (const Network& network : networks) keep(context_.lock_network(network.id, rest()));
  keep(context_.lock_underlay(rest()));
  const auto mended = context_.firewall.repair();
  if (!mended) {
    note_failure(report, "firewall table", mended.error());
    return TableState::kWrong;
  }
  if (!mended->empty())
    report.actions.push_back(fmt::format("rendered the firewall table again: {}", *mended));
  if (was_gone || !mended->empty()) forget_flows();
  return state;
}

// What came while the table was not whole has entries that lead nowhere.
void Reconciler::forget_flows() {
  if (const auto wanted = context_.firewall.wanted())
    context_.flows.forget(*wanted);
  else
    log::warn("forget flows from before the firewall table was rendered",
              {{"error", wanted.error().text}});
}

void Reconciler::note_mended(ReconcileReport& report, std::string action) {
  {
    const std::scoped_lock locked(log_guard_);
    if (const auto skipped = mended_log_.admit(std::chrono::steady_clock::now()))
      log::warn("mended", {{"action", action}, {"not_logged", *skipped}});
  }
  report.actions.push_back(std::move(action));
}

// With a bridge, everything that was in it is lost.
void Reconciler::mend_links(const Network& listed, std::span<const LinkDamage> damages,
                            ReconcileReport& report) {
  const auto whole = std::ranges::find_if(
      damages, [](const LinkDamage& damage) { return damage.link == damage.bridge; });
  if (whole != damages.end()) {
    const std::size_t failures = report.failures.size();
    tidy_network(listed, Unfinished::kLeave, report);
    if (!whole->what.empty() && report.failures.size() == failures)
      note_mended(report, fmt::format("mended bridge {} of network {}: it {}", whole->link,
                                      listed.name.str(), whole->what));
    return;
  }
  const std::string what = fmt::format("network {}", listed.name.str());
  auto held = context_.hold_at(listed.id, NetworkId{listed.id}, kLockDeadline);
  if (!held && held.error().code == Code::kNotFound) return;
  if (!held) return note_failure(report, what, held.error());
  if (held->network.phase != Phase::kReady) return;
  for (const LinkDamage& damage : damages)
    if (auto mended = mend_link(*held, damage, report); !mended)
      note_failure(report, damage.link, mended.error());
}

// A port that belongs to nobody, or is gone with its container, is left alone.
Status Reconciler::mend_link(LockedNetwork& held, const LinkDamage& damage,
                             ReconcileReport& report) {
  Network& network = held.network;
  if (contains(held.driver->links_of(network), damage.link)) {
    TRY_STATUS(ensure_links(*held.driver, network));
    note_mended(report, fmt::format("mended interface {} of network {}: it {}", damage.link,
                                    network.name.str(), damage.what));
    return {};
  }
  const auto name = IfName::parse(damage.link);
  if (!name || !context_.parts.links.find(*name)) return {};
  TRY(const auto endpoints, context_.records.endpoints(network.id));
  const auto endpoint = std::ranges::find_if(endpoints, [&](const Endpoint& each) {
    return contains(held.driver->links_of(each), damage.link);
  });
  if (endpoint == endpoints.end() || !endpoint->joined || endpoint->phase != Phase::kReady)
    return {};
  TRY(const bool mended, held.driver->mend(network, *endpoint));
  if (mended)
    note_mended(report, fmt::format("put interface {} back into bridge {}: it {}", damage.link,
                                    damage.bridge, damage.what));
  return {};
}

void Reconciler::follow_routes(ReconcileReport& report) {
  const auto changed = surroundings_.refresh();
  if (!changed) return note_failure(report, "the ways of answers", changed.error());
  if (*changed)
    report.actions.push_back("made the ways of answers follow the host's addresses and routes");
}

// A host that forwards needs accept_ra=2 to keep its own default route. Where others made it a
// router, only what it has learned from is theirs to lose.
void Reconciler::mend_uplinks(const std::vector<Network>& networks, ReconcileReport& report) {
  const bool needed = std::ranges::any_of(networks, [](const Network& network) {
    return network.phase == Phase::kReady && !network.internal && network.has(Family::kV6);
  });
  const auto forwarding = context_.records.forwarding();
  if (!forwarding) return note_failure(report, "router advertisements", forwarding.error());
  const bool switched = forwarding->boot_id == context_.parts.boot_id && forwarding->v6;
  if (!needed && !switched) return;
  const auto kept = context_.parts.links.host_routing().keep_router_advertisements(
      switched ? kernel::Hearing::kAny : kernel::Hearing::kLearned);
  if (!kept) return note_failure(report, "router advertisements", kept.error());
  for (const std::string& name : *kept)
    note_mended(report, fmt::format("set accept_ra of {} to 2", name));
}

}  // namespace fairlead::network
