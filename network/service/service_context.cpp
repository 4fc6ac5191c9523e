#include "network/service/service_context.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "network/api/options.h"
#include "network/service/keys.h"

namespace fairlead::network {

bool is_network_id(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string short_name_of(const Endpoint& endpoint) {
  if (!endpoint.names.name.empty()) return endpoint.names.name;
  return (endpoint.container.empty() ? endpoint.id : endpoint.container).substr(0, 12);
}

ServiceContext::ServiceContext(ServiceParts with)
    : parts(std::move(with)),
      records(parts.store),
      ipam(parts.store, {.boot_id = parts.boot_id, .ula_seed = ula_seed_of_host()}),
      claims(parts.store, parts.host_ports, parts.boot_id),
      ownership(parts.links, parts.firewall, parts.mark),
      firewall({parts.firewall, parts.bridge_firewall}, records, ownership, parts.drivers,
               parts.locks, {parts.boot_id, parts.allow_forwarding}),
      flows(parts.conntrack),
      for_drivers(records, parts.boot_id) {}

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

Result<NamedLocks::Guard> ServiceContext::lock_networks(std::chrono::milliseconds deadline) {
  return parts.locks.lock("networks", deadline);
}

Result<NamedLocks::Guard> ServiceContext::lock_network(const std::string& id,
                                                       std::chrono::milliseconds deadline) {
  return parts.locks.lock("network-" + id, deadline);
}

Result<NamedLocks::Guard> ServiceContext::lock_underlay(std::chrono::milliseconds deadline) {
  return parts.locks.lock("underlay", deadline);
}

// There is a fixed number of locks, because each is a file that stays. Endpoints with the same hash
// wait for each other.
Result<Turn> ServiceContext::take_turn(const std::string& endpoint_id) {
  TRY(auto guard, parts.locks.lock("endpoint-" + hash_hex(endpoint_id, 3), kRemovalDeadline));
  return Turn(std::make_shared<const NamedLocks::Guard>(std::move(guard)));
}

Result<Driver*> ServiceContext::driver_of(const NetworkOptions& options) {
  const auto driver = parts.drivers.find(options.mode);
  if (driver != parts.drivers.end()) return driver->second.get();
  std::vector<std::string_view> known;
  for (const auto& [mode, unused] : parts.drivers) known.push_back(mode);
  return fail(Code::kInvalid, "network mode \"{}\" is not known; known are: {}", options.mode,
              fmt::join(known, ", "));
}

Result<NetworkTraits> ServiceContext::traits(const NetworkOptions& options) {
  TRY(const Driver* driver, driver_of(options));
  return driver->traits();
}

Result<LockedNetwork> ServiceContext::hold_at(const std::string& id, const NetworkRef& ref,
                                              std::chrono::milliseconds deadline) {
  TRY(auto guard, lock_network(id, deadline));
  TRY(auto stored, records.network_at(id, ref));
  TRY(Driver * driver, driver_of(stored.value.options));
  return LockedNetwork{std::move(guard), std::move(stored.value), stored.revision, driver};
}

// The record is read once, under the lock. A runtime's id is mostly the network's own, so it is
// taken for that first.
Result<LockedNetwork> ServiceContext::hold_in_any_phase(const NetworkRef& ref,
                                                        std::chrono::milliseconds deadline) {
  if (const auto* runtimes = std::get_if<RuntimeNetworkId>(&ref);
      runtimes && is_network_id(runtimes->value)) {
    auto own = hold_at(runtimes->value, ref, deadline);
    if (own || own.error().code != Code::kNotFound) return own;
    TRY(const auto bound, records.bound_id(runtimes->value));
    return hold_at(bound, ref, deadline);
  }
  TRY(const auto id, records.network_id(ref));
  return hold_at(id, ref, deadline);
}

Result<LockedNetwork> ServiceContext::hold(const NetworkRef& ref) {
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

void ServiceContext::add_name_servers(Network& network) const {
  const auto driver = parts.drivers.find(network.options.mode);
  if (!network.options.dns || driver == parts.drivers.end()) return;
  network.name_servers = driver->second->own_gateways(network);
}

Status ServiceContext::commit(state::Txn txn) {
  TRY_STATUS(parts.store.commit(txn));
  return {};
}

}  // namespace fairlead::network
