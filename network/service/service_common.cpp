// Locks, lookups and commits that all verbs share.
#include "network/api/options.h"
#include "network/service/keys.h"
#include "network/service/service_impl.h"

namespace fairlead::network {

ServiceImpl::ServiceImpl(ServiceParts parts)
    : parts_(std::move(parts)),
      records_(parts_.store),
      ipam_(parts_.store, {.boot_id = parts_.boot_id, .ula_seed = ula_seed_of_host()}),
      claims_(parts_.store, parts_.host_ports, parts_.boot_id),
      ownership_(parts_.links, parts_.firewall, parts_.mark),
      firewall_(parts_.firewall, records_, ownership_, parts_.boot_id) {}

Result<NamedLocks::Guard> ServiceImpl::lock_networks() {
  return parts_.locks.lock("networks", kLockDeadline);
}

Result<NamedLocks::Guard> ServiceImpl::lock_network(const std::string& id,
                                                    std::chrono::milliseconds deadline) {
  return parts_.locks.lock("network-" + id, deadline);
}

Result<Driver*> ServiceImpl::driver_of(const NetworkOptions& options) {
  const auto driver = parts_.drivers.find(options.mode);
  if (driver != parts_.drivers.end()) return driver->second.get();
  std::vector<std::string_view> known;
  for (const auto& [mode, unused] : parts_.drivers) known.push_back(mode);
  return fail(Code::kInvalid, "network mode \"{}\" is not known; known are: {}", options.mode,
              fmt::join(known, ", "));
}

Result<Held> ServiceImpl::hold(const NetworkRef& ref) {
  TRY(auto id, records_.network_id(ref));
  TRY(auto guard, lock_network(id));
  TRY(auto stored, records_.network({id}));
  if (stored.value.phase != Phase::kReady)
    return fail(Code::kUnavailable, "network {} is {}; try again, or remove it",
                stored.value.name.str(), to_string(stored.value.phase));
  TRY(Driver * driver, driver_of(stored.value.options));
  return Held{std::move(guard), std::move(stored.value), stored.revision, driver};
}

Result<std::optional<Held>> ServiceImpl::hold_if_any(const NetworkRef& ref) {
  auto held = hold(ref);
  if (held) return std::optional(std::move(*held));
  if (held.error().code == Code::kNotFound) return std::optional<Held>();
  if (held.error().code == Code::kUnavailable) return hold_unfinished(ref);
  return fail(held.error());
}

// Whoever creates or removes a network holds the lock of them all: one that is unfinished although
// that lock is free was left so by a crash.
Result<std::optional<Held>> ServiceImpl::hold_unfinished(const NetworkRef& ref) {
  {
    TRY(auto networks_guard, lock_networks());
    auto stored = records_.network(ref);
    if (!stored && stored.error().code == Code::kNotFound) return std::optional<Held>();
    if (!stored) return fail(stored.error());
    if (stored->value.phase != Phase::kReady) {
      TRY(auto guard, lock_network(stored->value.id));
      TRY_STATUS(purge_network(stored->value));
      return std::optional<Held>();
    }
  }
  TRY(auto held, hold(ref));
  return std::optional(std::move(held));
}

Status ServiceImpl::commit(state::Txn txn) {
  TRY_STATUS(parts_.store.commit(txn).map([](const state::CommitResult&) {}));
  return {};
}

std::unique_ptr<CoreNetworkService> make_network_service(ServiceParts parts) {
  return std::make_unique<ServiceImpl>(std::move(parts));
}

}  // namespace fairlead::network
