#include "network/service/collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <thread>

#include "network/service/report.h"

namespace fairlead::network {

namespace {

constexpr std::chrono::milliseconds kVanishingTime{2000};

}  // namespace

// Removes the endpoint if it is dead. Returns true also when the removal failed.
bool Collector::drop_if_dead(LockedNetwork& held, const Endpoint& endpoint,
                             ReconcileReport& report) {
  const std::string what = name_of(held.network, endpoint);
  const auto reason = removal_.reason_to_drop(held.network, endpoint);
  if (reason && reason->empty()) return false;
  const Status gone = reason ? removal_.discard(held, endpoint, Fate::kDead) : fail(reason.error());
  if (gone)
    note(report, fmt::format("removed {}: {}", what, *reason));
  else
    note_failure(report, what, gone.error());
  return true;
}

void Collector::regain_leases(const Network& network, const Addresses::Strays& strays,
                              ReconcileReport& report) {
  for (const Addresses::Lost& lost : strays.lost) {
    // A stray lease of the address is freed first: the next round leases it again.
    const bool held = std::ranges::any_of(strays.nobodys, [&](const Addresses::PoolLease& each) {
      return each.lease.address == lost.address;
    });
    if (held) continue;
    const std::string holder = context_.records.describe(network.id, lost.endpoint_id);
    if (const Status leased = addresses_.regain(network, lost); !leased)
      note_failure(report, fmt::format("address {} of {}", lost.address.to_string(), holder),
                   leased.error());
    else
      note(report, fmt::format("leased {} to {} again: its lease was lost",
                               lost.address.to_string(), holder));
  }
}

std::size_t Collector::tidy_leases(const Network& network, ReconcileReport& report) {
  const std::string name = network.name.str();
  const auto strays = addresses_.stray_leases(network);
  if (!strays) {
    note_failure(report, "leases of network " + name, strays.error());
    return 0;
  }
  std::size_t adopted = 0, freed = 0;
  for (const auto& [each, endpoint_id] : strays->of_endpoints) {
    state::Txn txn;
    addresses_.pass_on(each.pool, each.lease, endpoint_id).add_to(txn);
    if (context_.commit(std::move(txn))) ++adopted;
  }
  if (adopted > 0)
    note(report, fmt::format("gave {} of network {} to the endpoints that have the addresses",
                             counted(adopted, "lease"), name));
  regain_leases(network, *strays, report);
  for (const auto& [pool, lease] : strays->nobodys) {
    state::Txn txn;
    Ipam::release_plan(pool, lease).add_to(txn);
    const Status done = context_.commit(std::move(txn));
    // The lease has changed, so somebody has it by now.
    if (!done && done.error().code == Code::kConflict) continue;
    if (!done) {
      note_failure(report, lease.address.to_string(), done.error());
      continue;
    }
    addresses_.give_back(network, std::array{Cidr::of(lease.address, pool.prefix_length())});
    note(report, fmt::format("freed address {} of network {}: no container has it",
                             lease.address.to_string(), name));
    ++freed;
  }
  return freed;
}

// Waits until the endpoint's link is gone, if the path of its network namespace is. The kernel
// deletes the interfaces of a namespace some time after its last user has ended. A missing path
// does not prove that the container is gone, because the path may be in another mount namespace.
void Collector::await_vanishing(const LockedNetwork& held, const Endpoint& endpoint,
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
Result<bool> Collector::make_room(LockedNetwork& held, const Error& refusal,
                                  std::span<const PortSpec> ports) {
  if (refusal.code == Code::kInUse) return make_room_at_ports(held, ports);
  if (refusal.code != Code::kExists && refusal.code != Code::kExhausted) return false;
  ReconcileReport report;
  const auto end = std::chrono::steady_clock::now() + kVanishingTime;
  TRY(const auto endpoints, context_.records.endpoints(held.network.id));
  for (const Endpoint& endpoint : endpoints) {
    await_vanishing(held, endpoint, end);
    drop_if_dead(held, endpoint, report);
  }
  tidy_leases(held.network, report);
  return !report.actions.empty();
}

Result<bool> Collector::make_room_at_ports(LockedNetwork& held, std::span<const PortSpec> ports) {
  ReconcileReport report;
  bool orphaned = false;
  const auto end = std::chrono::steady_clock::now() + kVanishingTime;
  const auto look_at = [&](LockedNetwork& at, const std::string& endpoint_id) -> Status {
    TRY(const auto stored, context_.records.endpoint(at.network.id, endpoint_id));
    if (stored) {
      await_vanishing(at, stored->value, end);
      drop_if_dead(at, stored->value, report);
    }
    orphaned |= !stored;
    return {};
  };
  TRY(const auto holders, context_.claims.holders(ports));
  for (const PortOwner& holder : holders) {
    if (holder.network_id == held.network.id) {
      TRY_STATUS(look_at(held, holder.endpoint_id));
      continue;
    }
    auto other = context_.hold_in_any_phase(NetworkId{holder.network_id}, kNestedDeadline);
    orphaned |= !other && other.error().code == Code::kNotFound;
    if (other) TRY_STATUS(look_at(*other, holder.endpoint_id));
  }
  if (!orphaned) return !report.actions.empty();
  TRY(const auto dropped, context_.claims.drop_strays());
  return dropped > 0 || !report.actions.empty();
}

}  // namespace fairlead::network
