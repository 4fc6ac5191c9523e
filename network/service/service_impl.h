// The implementation of the service, which is spread over networks.cpp, endpoints.cpp, leases.cpp,
// ports.cpp, pools.cpp, shared.cpp, reconcile.cpp, mend.cpp and service_common.cpp.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "network/ipam/ipam.h"
#include "network/service/firewall_sync.h"
#include "network/service/network_service.h"
#include "network/service/ownership.h"
#include "network/service/port_claims.h"
#include "network/service/record_store.h"

namespace fairlead::network {

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

class ServiceImpl : public CoreNetworkService {
 public:
  explicit ServiceImpl(ServiceParts parts);

  Result<NetworkTraits> traits(const NetworkOptions& options) override;
  Result<Network> create_network(const NetworkSpec& spec) override;
  Status remove_network(const NetworkRef& network) override;
  Result<Network> inspect_network(const NetworkRef& network) override;
  Result<std::vector<NetworkUsage>> list_networks() override;
  Result<Network> bind_network(const std::string& runtime_id, const NetworkName& network) override;
  Status unbind_network(const std::string& runtime_id) override;
  Result<bool> is_bound(const std::string& runtime_id) override;
  Status reserve_addresses(const NetworkRef& network,
                           const std::map<std::string, IpAddress>& addresses) override;

  Result<Turn> take_turn(const std::string& endpoint_id) override;

  Result<Endpoint> create_endpoint(const EndpointSpec& spec) override;
  Result<Attachment> join(const EndpointRef& endpoint, const Placement& placement) override;
  Result<Attachment> attach(const EndpointSpec& spec, const Placement& placement) override;
  Status leave(const EndpointRef& endpoint) override;
  Status remove_endpoint(const EndpointRef& endpoint) override;
  Result<std::vector<PublishedPort>> publish(const EndpointRef& endpoint,
                                             std::span<const PortSpec> ports) override;
  Status unpublish(const EndpointRef& endpoint) override;
  Result<Endpoint> inspect_endpoint(const EndpointRef& endpoint) override;
  Result<std::vector<Endpoint>> list_endpoints(const std::optional<NetworkRef>& network) override;
  Result<std::vector<PortHolder>> list_ports() override;
  Status check(const EndpointRef& endpoint, const Expectation& expected) override;
  Result<std::size_t> collect(const NetworkRef& network, const std::string& runtime,
                              std::span<const ValidAttachment> valid) override;
  Result<ServiceStatus> status() override;
  Result<ReconcileReport> reconcile() override;
  Result<ReconcileReport> mend(const Damage& damage) override;

  Result<Pool> request_pool(const PoolRequest& request) override;
  Status release_pool(const std::string& pool_id) override;
  Result<Cidr> request_address(const std::string& pool_id, std::optional<IpAddress> wanted,
                               AddressUse use) override;
  Status release_address(const std::string& pool_id, const IpAddress& address) override;

  Status guard_tunnels() override;
  Status guard_underlay(const std::vector<IpAddress>& hosts,
                        const std::vector<IfName>& wireguard_links) override;

 private:
  static constexpr std::chrono::milliseconds kLockDeadline{8000};
  // Runtimes seldom repeat a removal, so it waits longer than any other operation takes.
  static constexpr std::chrono::milliseconds kRemovalDeadline{40'000};
  // For the lock of a second network: two calls that wait for each other's lock must not wait for
  // long.
  static constexpr std::chrono::milliseconds kNestedDeadline{500};
  static constexpr std::chrono::milliseconds kVanishingTime{2000};
  static constexpr unsigned kMostAttempts = 64;
  // How many seconds a runtime may take between two calls for the same container: until it has put
  // the link into the container, or has named the endpoint of an address.
  static constexpr long long kMoveTime = 60;

  // Why an endpoint is removed: because its runtime, or somebody in the runtime's place, has asked
  // for it, or because it is dead.
  enum class Fate { kRemoved, kDead };
  struct PoolLease {
    Cidr pool;
    LeaseRecord lease;
  };
  struct Strays {
    // Leases of an earlier version, which did not name their endpoints, each with the id of the
    // endpoint that has the address.
    std::vector<std::pair<PoolLease, std::string>> of_endpoints;
    std::vector<PoolLease> nobodys;
  };

  // For creating and removing networks.
  Result<NamedLocks::Guard> lock_networks(std::chrono::milliseconds deadline = kLockDeadline);
  Result<NamedLocks::Guard> lock_underlay(std::chrono::milliseconds deadline = kLockDeadline);
  Result<NamedLocks::Guard> lock_network(const std::string& id,
                                         std::chrono::milliseconds deadline = kLockDeadline);
  // Take the lock, then read the record.
  Result<LockedNetwork> hold_at(const std::string& id, const NetworkRef& ref,
                                std::chrono::milliseconds deadline);
  Result<LockedNetwork> hold_in_any_phase(const NetworkRef& ref,
                                          std::chrono::milliseconds deadline);
  // Waits while the network is being made or removed.
  Result<LockedNetwork> hold(const NetworkRef& ref);
  // Like hold(), for calls that remove something: std::nullopt when there is no such network. A
  // network that a crash left half made or half removed is removed as a whole.
  Result<std::optional<LockedNetwork>> hold_if_any(const NetworkRef& ref);
  Result<std::optional<LockedNetwork>> hold_unfinished(const NetworkRef& ref);
  Result<Driver*> driver_of(const NetworkOptions& options);
  Status commit(state::Txn txn);

  // networks.cpp
  Result<std::optional<Network>> existing(const NetworkSpec& spec);
  Result<Network> begin_network(const NetworkSpec& spec);
  Status check_routes(const SubnetSpec& spec);
  Status give_subnets(const NetworkSpec& spec, Network& network, const Driver& driver);
  Result<Subnet> give_subnet(const SubnetSpec& spec, const Network& network,
                             std::span<const Cidr> occupied);
  Status reserve(const Cidr& pool, const IpAddress& address, AddressUse use,
                 const std::string& owner);
  Status build_network(Network& network, Driver& driver);
  // Deletes everything of the network, whatever its phase is.
  Status purge_network(const Network& network);

  // shared.cpp
  Result<Network> create_shared(const NetworkSpec& spec);
  Result<std::vector<Cidr>> occupied_here();
  Result<Pool> request_shared_pool(const PoolRequest& request);
  Result<Claim> plan_address(const Network& network, const Cidr& subnet, AddressRequest request,
                             unsigned attempt, state::Txn& txn);
  Result<Claim> plan_offered(const Network& network, const Cidr& subnet, AddressRequest request,
                             unsigned attempt, state::Txn& txn);
  Result<Claim> plan_here(const Network& network, const Cidr& subnet, const AddressRequest& request,
                          unsigned attempt);
  Result<Cidr> allocate(const Network& network, const Cidr& subnet, const AddressRequest& request);
  void give_back(const Network& network, std::span<const Cidr> addresses);
  Status move_tunnel(Stored<Network>& stored);
  Status change_underlay(const std::function<void(UnderlayRecord&)>& change);

  // endpoints.cpp
  Status validate(const EndpointSpec& spec) const;
  Status clear_leftover(LockedNetwork& held, const std::string& id);
  Result<Endpoint> reserve_endpoint(LockedNetwork& held, const EndpointSpec& spec,
                                    const Placement* placement);
  Result<Endpoint> try_reserve(LockedNetwork& held, const EndpointSpec& spec,
                               std::span<const PortSpec> ports, const Placement* placement);
  Status check_ports_allowed(const LockedNetwork& held, std::span<const PortSpec> ports) const;
  Result<Endpoint> draft(const LockedNetwork& held, const EndpointSpec& spec) const;
  Status lease(const Network& network, const EndpointSpec& spec, Endpoint& endpoint,
               unsigned attempt, state::Txn& txn);
  Result<Attachment> connect(LockedNetwork& held, Endpoint endpoint, const Placement& placement);
  Status take_down(LockedNetwork& held, const Endpoint& endpoint);
  // Take_down() and forget_endpoint()
  Status discard(LockedNetwork& held, const Endpoint& endpoint, Fate fate);
  Status forget_endpoint(const Network& network, const Endpoint& endpoint, Fate fate);
  Status remove_held(LockedNetwork& held, Endpoint endpoint);

  // leases.cpp
  Result<Cidr> request_for_container(const PoolRecord& pool, std::optional<IpAddress> wanted,
                                     AddressUse use);
  Status release_lease(const PoolRecord& pool, const IpAddress& address);
  Result<bool> is_kept(const PoolRecord& pool, const LeaseRecord& lease);
  Change pass_on(const Cidr& pool, LeaseRecord lease, std::string owner) const;
  Status take_over_leases(const Network& network, const Endpoint& endpoint, unsigned attempt,
                          state::Txn& txn);
  // Returns the addresses that are free after the transaction was committed.
  Result<std::vector<Cidr>> give_up_leases(const Network& network, const Endpoint& endpoint,
                                           Fate fate, state::Txn& txn);
  Result<Strays> stray_leases(const Network& network);
  bool is_old(long long since) const;
  std::string holder_of(const Network& network, const Cidr& pool, const IpAddress& address);

  // ports.cpp
  static std::vector<PortSpec> with_default_addresses(const Network& network,
                                                      std::span<const PortSpec> ports);
  Result<Endpoint> swap_ports(LockedNetwork& held, const Stored<Endpoint>& before,
                              std::span<const PortSpec> ports);
  Status program_ports(LockedNetwork& held, const Endpoint& before, const Endpoint& after);
  void forget_flows(const Endpoint& endpoint, std::span<const PublishedPort> ports);

  // reconcile.cpp
  Status ensure_links(Driver& driver, Network& network);
  void tidy_network(const Network& network, ReconcileReport& report);
  void tidy_endpoint(LockedNetwork& held, const Endpoint& endpoint, ReconcileReport& report);
  void tidy_ports(const Network& network, ReconcileReport& report);
  bool drop_if_dead(LockedNetwork& held, const Endpoint& endpoint, ReconcileReport& report);
  Result<std::string> reason_to_drop(const Network& network, const Endpoint& endpoint);
  static void await_vanishing(const LockedNetwork& held, const Endpoint& endpoint,
                              std::chrono::steady_clock::time_point end);
  Result<bool> make_room(LockedNetwork& held, const Error& refusal,
                         std::span<const PortSpec> ports);
  Result<bool> make_room_at_ports(LockedNetwork& held, std::span<const PortSpec> ports);
  std::size_t tidy_leases(const Network& network, ReconcileReport& report);
  void tidy_orphans(const std::vector<Network>& networks, ReconcileReport& report);
  Status look_for_strays(const Network& network, ServiceStatus& status);
  void tidy_pools(const std::vector<Network>& networks, ReconcileReport& report);
  void tidy_links(ReconcileReport& report);
  Result<std::set<std::string>> recorded_links();
  void admit_everywhere(ReconcileReport* report);

  // mend.cpp
  // kPerhapsStale: a call was at work on a network, whose changes the table may lack.
  enum class TableState { kRight, kPerhapsStale, kWrong };
  TableState mend_table(const std::vector<Network>& networks, std::chrono::milliseconds most_wait,
                        ReconcileReport& report);
  void mend_links(const Network& listed, std::span<const LinkDamage> damages,
                  ReconcileReport& report);
  Status mend_link(LockedNetwork& held, const LinkDamage& damage, ReconcileReport& report);
  void mend_uplinks(const std::vector<Network>& networks, ReconcileReport& report);
  void note_mended(ReconcileReport& report, std::string action);

  ServiceParts parts_;
  RecordStore records_;
  Ipam ipam_;
  PortClaims claims_;
  Ownership ownership_;
  FirewallSync firewall_;
  StoredContext context_;
  std::mutex notes_guard_;
  std::vector<std::string> notes_;  // what is in place in other firewalls, in words
  // Somebody may break something many times in a second.
  RateLimit mended_log_{30, std::chrono::seconds(10)};
};

// Whether the text has the form of a network's id: 64 lower-case hex digits.
bool is_network_id(std::string_view text);

// The error for a request for a pool of a network that has no subnet of that family.
tl::unexpected<Error> no_subnet(const NetworkName& network, Family family);

}  // namespace fairlead::network
