// What every verb of the service works with: the parts, the records, and the locks under which they
// are read and changed.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>

#include "network/ipam/ipam.h"
#include "network/service/firewall_sync.h"
#include "network/service/flows.h"
#include "network/service/heirs.h"
#include "network/service/network_service.h"
#include "network/service/ownership.h"
#include "network/service/port_claims.h"
#include "network/service/record_store.h"

namespace fairlead::network {

inline constexpr std::chrono::milliseconds kLockDeadline{8000};
// Runtimes seldom repeat a removal, so it waits longer than any other operation takes.
inline constexpr std::chrono::milliseconds kRemovalDeadline{40'000};
// For the lock of a second network: two calls that wait for each other's lock must not wait for
// long.
inline constexpr std::chrono::milliseconds kNestedDeadline{500};
inline constexpr unsigned kMostAttempts = 64;  // of a transaction that others overtake
// How many seconds a runtime may take between two calls for the same container: until it has put
// the link into the container, or has named the endpoint of an address.
inline constexpr long long kMoveTime = 60;

// A network whose lock is held, with its driver.
struct LockedNetwork {
  NamedLocks::Guard guard;
  Network network;
  std::int64_t revision = 0;
  Driver* driver = nullptr;
};

// What drivers ask the service for.
class StoredContext : public NetworkContext {
 public:
  StoredContext(RecordStore& records, std::string boot_id)
      : records_(records), boot_id_(std::move(boot_id)) {}
  Status remember(const Network& network) override;
  Result<bool> any_publisher(const Network& network,
                             const std::function<bool(const Endpoint&)>& fits) override;

 private:
  RecordStore& records_;
  const std::string boot_id_;
};

// Thread-safe, as its parts are. Neither copied nor moved: its parts refer to each other.
class ServiceContext {
 public:
  explicit ServiceContext(ServiceParts with);
  ServiceContext(const ServiceContext&) = delete;
  ServiceContext& operator=(const ServiceContext&) = delete;

  // For creating and removing networks.
  Result<NamedLocks::Guard> lock_networks(std::chrono::milliseconds deadline = kLockDeadline);
  Result<NamedLocks::Guard> lock_underlay(std::chrono::milliseconds deadline = kLockDeadline);
  Result<NamedLocks::Guard> lock_network(const std::string& id,
                                         std::chrono::milliseconds deadline = kLockDeadline);
  Result<Turn> take_turn(const std::string& endpoint_id);

  // Take the lock, then read the record.
  Result<LockedNetwork> hold_at(const std::string& id, const NetworkRef& ref,
                                std::chrono::milliseconds deadline);
  Result<LockedNetwork> hold_in_any_phase(const NetworkRef& ref,
                                          std::chrono::milliseconds deadline);
  // Waits while the network is being made or removed.
  Result<LockedNetwork> hold(const NetworkRef& ref);

  Result<Driver*> driver_of(const NetworkOptions& options);
  Result<NetworkTraits> traits(const NetworkOptions& options);
  Status commit(state::Txn txn);
  // Fills in Network::name_servers.
  void add_name_servers(Network& network) const;

  ServiceParts parts;
  RecordStore records;
  Ipam ipam;
  PortClaims claims;
  Heirs heirs;
  Ownership ownership;
  FirewallSync firewall;
  Flows flows;
  StoredContext for_drivers;
  std::atomic<bool> names_coming{false};  // NameService::expect
};

// Whether the text has the form of a network's id: 64 lower-case hex digits.
bool is_network_id(std::string_view text);

// "web", "default/web-0", or the id of the container or of the endpoint, shortened as runtimes do.
std::string short_name_of(const Endpoint& endpoint);

}  // namespace fairlead::network
