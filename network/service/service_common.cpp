// Locks, lookups and commits that all calls share.
#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "network/api/options.h"
#include "network/service/keys.h"
#include "network/service/service_impl.h"

namespace fairlead::network {

bool is_network_id(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

ServiceImpl::ServiceImpl(ServiceParts parts)
    : parts_(std::move(parts)),
      records_(parts_.store),
      ipam_(parts_.store, {.boot_id = parts_.boot_id, .ula_seed = ula_seed_of_host()}),
      claims_(parts_.store, parts_.host_ports, parts_.boot_id),
      ownership_(parts_.links, parts_.firewall, parts_.mark),
      firewall_(parts_.firewall, records_, ownership_, parts_.drivers, parts_.boot_id),
      context_(records_, parts_.boot_id) {}

Result<NetworkTraits> ServiceImpl::traits(const NetworkOptions& options) {
  TRY(const Driver* driver, driver_of(options));
  return driver->traits();
}

Status StoredContext::remember(const Network& network) {
  TRY_STATUS(records_.raw().commit({.preconditions = {},
                                    .puts = {{keys::network(network.id), encode(network)}},
                                    .deletes = {},
                                    .durability = state::Durability::kDurable}));
  return {};
}

Result<bool> StoredContext::any_publisher(const Network& network,
                                          const std::function<bool(const Endpoint&)>& fits) {
  return records_.any_publisher(network.id, [&](const Endpoint& endpoint) {
    return endpoint.joined && endpoint.boot_id == boot_id_ && fits(endpoint);
  });
}

Result<NamedLocks::Guard> ServiceImpl::lock_networks(std::chrono::milliseconds deadline) {
  return parts_.locks.lock("networks", deadline);
}

Result<NamedLocks::Guard> ServiceImpl::lock_network(const std::string& id,
                                                    std::chrono::milliseconds deadline) {
  return parts_.locks.lock("network-" + id, deadline);
}

Result<NamedLocks::Guard> ServiceImpl::lock_underlay(std::chrono::milliseconds deadline) {
  return parts_.locks.lock("underlay", deadline);
}

// There is a fixed number of locks, because each is a file that stays. Endpoints with the same hash
// wait for each other.
Result<Turn> ServiceImpl::take_turn(const std::string& endpoint_id) {
  TRY(auto guard, parts_.locks.lock("endpoint-" + hash_hex(endpoint_id, 3), kRemovalDeadline));
  return Turn(std::make_shared<const NamedLocks::Guard>(std::move(guard)));
}

Result<Driver*> ServiceImpl::driver_of(const NetworkOptions& options) {
  const auto driver = parts_.drivers.find(options.mode);
  if (driver != parts_.drivers.end()) return driver->second.get();
  std::vector<std::string_view> known;
  for (const auto& [mode, unused] : parts_.drivers) known.push_back(mode);
  return fail(Code::kInvalid, "network mode \"{}\" is not known; known are: {}", options.mode,
              fmt::join(known, ", "));
}

Result<LockedNetwork> ServiceImpl::hold_at(const std::string& id, const NetworkRef& ref,
                                           std::chrono::milliseconds deadline) {
  TRY(auto guard, lock_network(id, deadline));
  TRY(auto stored, records_.network_at(id, ref));
  TRY(Driver * driver, driver_of(stored.value.options));
  return LockedNetwork{std::move(guard), std::move(stored.value), stored.revision, driver};
}

// The record is read once, under the lock. A runtime's id is mostly the network's own, so it is
// taken for that first.
Result<LockedNetwork> ServiceImpl::hold_in_any_phase(const NetworkRef& ref,
                                                     std::chrono::milliseconds deadline) {
  if (const auto* runtimes = std::get_if<RuntimeNetworkId>(&ref);
      runtimes && is_network_id(runtimes->value)) {
    auto own = hold_at(runtimes->value, ref, deadline);
    if (own || own.error().code != Code::kNotFound) return own;
    TRY(const auto bound, records_.bound_id(runtimes->value));
    return hold_at(bound, ref, deadline);
  }
  TRY(const auto id, records_.network_id(ref));
  return hold_at(id, ref, deadline);
}

Result<LockedNetwork> ServiceImpl::hold(const NetworkRef& ref) {
  for (bool waited = false;; waited = true) {
    {
      TRY(auto held, hold_in_any_phase(ref, kLockDeadline));
      if (held.network.phase == Phase::kReady) return held;
      if (waited)
        return fail(Code::kUnavailable, "network {} is {}; try again, or remove it",
                    held.network.name.str(), to_string(held.network.phase));
    }
    // A call that creates or removes a network holds the lock of all networks until it is done.
    TRY_STATUS(lock_networks());
  }
}

Result<std::optional<LockedNetwork>> ServiceImpl::hold_if_any(const NetworkRef& ref) {
  {
    auto held = hold_in_any_phase(ref, kRemovalDeadline);
    if (!held && held.error().code == Code::kNotFound) return std::optional<LockedNetwork>();
    if (!held) return fail(held.error());
    if (held->network.phase == Phase::kReady) return std::optional(std::move(*held));
  }
  return hold_unfinished(ref);  // needs the lock of all networks, which has to be taken first
}

// A network that is unfinished although the lock of all networks was free was left by a crash.
Result<std::optional<LockedNetwork>> ServiceImpl::hold_unfinished(const NetworkRef& ref) {
  const auto networks_guard = parts_.locks.lock("networks", kRemovalDeadline);
  if (!networks_guard) return fail(networks_guard.error());
  auto held = hold_in_any_phase(ref, kRemovalDeadline);
  if (!held && held.error().code == Code::kNotFound) return std::optional<LockedNetwork>();
  if (!held) return fail(held.error());
  if (held->network.phase == Phase::kReady) return std::optional(std::move(*held));
  TRY_STATUS(purge_network(held->network));
  return std::optional<LockedNetwork>();
}

Status ServiceImpl::commit(state::Txn txn) {
  TRY_STATUS(parts_.store.commit(txn));
  return {};
}

std::unique_ptr<CoreNetworkService> make_network_service(ServiceParts parts) {
  return std::make_unique<ServiceImpl>(std::move(parts));
}

}  // namespace fairlead::network
