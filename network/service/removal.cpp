#include "network/service/removal.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "network/api/names.h"
#include "network/api/options.h"
#include "network/service/change_log.h"
#include "network/service/keys.h"

namespace fairlead::network {

Result<std::optional<LockedNetwork>> Removal::hold_if_any(const NetworkRef& ref) {
  {
    auto held = context_.hold_in_any_phase(ref, kRemovalDeadline);
    if (!held && held.error().code == Code::kNotFound) return std::optional<LockedNetwork>();
    if (!held) return fail(held.error());
    if (held->network.phase == Phase::kReady) return std::optional(std::move(*held));
  }
  return hold_unfinished(ref);  // needs the lock of all networks, which has to be taken first
}

// A network that is unfinished although the lock of all networks was free was left by a crash.
Result<std::optional<LockedNetwork>> Removal::hold_unfinished(const NetworkRef& ref) {
  const auto networks_guard = context_.parts.locks.lock("networks", kRemovalDeadline);
  if (!networks_guard) return fail(networks_guard.error());
  auto held = context_.hold_in_any_phase(ref, kRemovalDeadline);
  if (!held && held.error().code == Code::kNotFound) return std::optional<LockedNetwork>();
  if (!held) return fail(held.error());
  if (held->network.phase == Phase::kReady) return std::optional(std::move(*held));
  TRY_STATUS(purge_network(held->network));
  return std::optional<LockedNetwork>();
}

// Deletes the objects in the kernel first, then the pools, and the names last, so that an
// interrupted removal is found and repeated.
Status Removal::purge_network(const Network& network) {
  TRY(Driver * driver, context_.driver_of(network.options));
  TRY(auto endpoints, context_.records.endpoints(network.id));
  for (const Endpoint& endpoint : endpoints) {
    TRY_STATUS(context_.firewall.drop_ports(network, {&endpoint, 1}));
    TRY_STATUS(driver->detach(network, endpoint));
    TRY_STATUS(context_.firewall.dismiss(network, endpoint));
    TRY_STATUS(forget_endpoint(network, endpoint, Fate::kDead));
  }
  TRY_STATUS(driver->shut_ports(network));
  TRY_STATUS(context_.firewall.dismiss(network));
  fault_point("network.remove.firewall");
  TRY_STATUS(driver->remove(network));
  fault_point("network.remove.links");
  TRY(auto pools, context_.ipam.list_pools());
  for (const PoolRecord& pool : pools)
    if (pool.network == network.id) TRY_STATUS(context_.ipam.remove_pool(pool.subnet));
  fault_point("network.remove.pools");
  state::Txn txn{.deletes = {keys::network(network.id)}, .durability = state::Durability::kDurable};
  TRY(auto named, context_.records.id_at(keys::network_name(network.name.str())));
  if (named == network.id) txn.deletes.push_back(keys::network_name(network.name.str()));
  TRY(auto aliases, context_.parts.store.list(keys::kAliases));
  for (const state::Record& record : aliases) {
    TRY(auto id, decode_id(record.value));
    if (id == network.id) txn.deletes.push_back(record.key);
  }
  for (const std::string& prefix :
       {keys::runtime_networks_of(network.id), keys::names_of_endpoints(network.id)}) {
    TRY(const auto names, context_.parts.store.list(prefix));
    for (const state::Record& record : names) txn.deletes.push_back(record.key);
  }
  TRY_STATUS(context_.commit(std::move(txn)));
  fault_point("network.remove.forgotten");
  TRY(auto left, context_.records.networks());
  if (!left.empty()) return {};
  TRY(const auto other_owner, context_.ownership.other_owner());
  if (other_owner) return {};
  TRY_STATUS(context_.firewall.withdraw());
  fault_point("network.remove.table");
  return context_.parts.foreign_firewall.withdraw();
}

// In words; empty while the endpoint is in use, or may still be joined. A process that works on an
// endpoint holds the lock of its network. So with that lock held another phase than kReady was left
// by a crash; without it, the phase may be that of a call in progress.
Result<std::string> Removal::reason_to_drop(const Network& network, const Endpoint& endpoint) {
  if (endpoint.boot_id != context_.parts.boot_id) return std::string("it is of an earlier boot");
  if (endpoint.phase != Phase::kReady)
    return fmt::format("it was left in phase {}", to_string(endpoint.phase));
  const bool old = context_.parts.unix_time() - endpoint.created > kMoveTime;
  if (!endpoint.joined) return std::string(old ? "it was never joined" : "");
  TRY(Driver * driver, context_.driver_of(network.options));
  TRY(const auto liveness, driver->liveness(network, endpoint));
  if (liveness == Liveness::kGone) return std::string("its container is gone");
  if (liveness == Liveness::kWaiting && old) return std::string("no container took its interface");
  return std::string();
}

Status Removal::take_down(LockedNetwork& held, const Endpoint& endpoint) {
  TRY_STATUS(context_.firewall.drop_ports(held.network, {&endpoint, 1}));
  TRY_STATUS(held.driver->close_ports(held.network, endpoint, Endpoint{.id = endpoint.id},
                                      context_.for_drivers));
  fault_point("endpoint.remove.firewall");
  TRY_STATUS(held.driver->detach(held.network, endpoint));
  fault_point("endpoint.remove.link");
  context_.flows.forget(endpoint, endpoint.ports);
  return {};
}

// Gives back addresses and ports and deletes the record, in one transaction.
Status Removal::forget_endpoint(const Network& network, const Endpoint& endpoint, Fate fate) {
  for (unsigned attempt = 0;; ++attempt) {
    state::Txn txn{.deletes = {keys::endpoint(network.id, endpoint.id)}};
    if (endpoint.runtime == kNamedLater)
      txn.deletes.push_back(keys::endpoint_names(network.id, endpoint.id));
    std::vector<PortOwner> heirs;
    TRY_STATUS(context_.claims.plan(PortClaimant::of(endpoint, network), {}, claimed_of(endpoint),
                                    txn, &heirs));
    TRY(const auto freed, addresses_.give_up_leases(network, endpoint, fate, txn));
    const Status done = context_.commit(std::move(txn));
    if (!done && done.error().code == Code::kConflict && attempt < kMostAttempts) continue;
    if (!done) return done;
    addresses_.give_back(network, freed);
    context_.heirs.add(heirs);
    return {};
  }
}

Status Removal::discard(LockedNetwork& held, const Endpoint& endpoint, Fate fate) {
  TRY_STATUS(take_down(held, endpoint));
  TRY_STATUS(context_.firewall.dismiss(held.network, endpoint));
  fault_point("endpoint.remove.sender");
  return forget_endpoint(held.network, endpoint, fate);
}

Status Removal::remove_held(LockedNetwork& held, Endpoint endpoint) {
  const bool told = log_changes();
  Endpoint named;  // the names are forgotten with it
  if (told) context_.records.add_names(named = endpoint);
  endpoint.phase = Phase::kDeleting;
  TRY_STATUS(context_.commit(
      {.puts = {{keys::endpoint(held.network.id, endpoint.id), encode(endpoint)}}}));
  fault_point("endpoint.remove.intent");
  if (auto discarded = discard(held, endpoint, Fate::kRemoved); !discarded)
    return fail(with_context(
        discarded.error(), fmt::format("remove endpoint {} of network {}", short_name_of(endpoint),
                                       held.network.name.str())));
  fault_point("endpoint.remove.forgotten");
  if (told) log_detached(context_.records.title(held.network), named);
  return {};
}

}  // namespace fairlead::network
