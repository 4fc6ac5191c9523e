// The leases of a network's addresses, and who owns each of them.
//
// An address that a runtime requests itself (Docker's IpamDriver) changes its owner twice. The
// endpoint cannot own it from the beginning, because it is named later. It cannot own it until the
// end either, because the call that gives the address back names only the address: if another
// container had the address by then, that container would lose it.
//
//   request_address   "docker <8 digits>": the runtime's own, for a container that is starting
//   create_endpoint   the endpoint that names the address
//   remove_endpoint   the runtime's own again, until release_address
//
// A stray lease is one that no endpoint has and that the runtime has owned for too long, because it
// was killed between two calls or could not reach Fairlead.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "network/service/address_choice.h"
#include "network/service/service_context.h"

namespace fairlead::network {

// Why an endpoint is removed: because its runtime, or somebody in the runtime's place, has asked for
// it, or because it is dead.
enum class Fate { kRemoved, kDead };

// Called under the lock of the network, but for the methods that say otherwise.
class Addresses {
 public:
  struct PoolLease {
    Cidr pool;
    LeaseRecord lease;
  };
  // An address of an endpoint without the lease, so that it may be given to another one.
  struct Lost {
    Cidr pool;
    IpAddress address;
    std::string endpoint_id;
  };
  struct Strays {
    // Leases of an earlier version, which did not name their endpoints, each with the id of the
    // endpoint that has the address.
    std::vector<std::pair<PoolLease, std::string>> of_endpoints;
    std::vector<PoolLease> nobodys;
    std::vector<Lost> lost;
  };

  explicit Addresses(ServiceContext& context) : context_(context) {}

  // The subnets that this host uses for other purposes. Needs no lock.
  Result<std::vector<Cidr>> occupied_here();

  // Plans the leases of a new endpoint: the wanted addresses, one address of each set of ranges, and
  // for a family with neither one of the first subnet that has one free.
  Result<std::vector<Cidr>> lease(const Network& network, const EndpointSpec& spec,
                                  unsigned attempt, state::Txn& txn);
  // Plans a lease; what it depends on becomes a precondition of the transaction.
  Result<Claim> plan_address(const Network& network, const Cidr& subnet, AddressRequest request,
                             unsigned attempt, state::Txn& txn);
  // Plans a lease and commits it. Needs no lock.
  Result<Cidr> allocate(const Network& network, const Cidr& subnet, const AddressRequest& request);
  // Gives single addresses back to the cluster, after the leases were removed.
  void give_back(const Network& network, std::span<const Cidr> addresses);

  // In the transaction of the endpoint's record: the leases of the addresses that the runtime has
  // requested, or whose lease it brings, become the endpoint's.
  Status take_over_leases(const Network& network, const Endpoint& endpoint, unsigned attempt,
                          state::Txn& txn);
  // Returns the addresses that are free after the transaction was committed.
  Result<std::vector<Cidr>> give_up_leases(const Network& network, const Endpoint& endpoint,
                                           Fate fate, state::Txn& txn);
  // An error of the pools about an address, with who has it in words for people.
  Error explained(const Network& network, const Cidr& pool, const IpAddress& address, Error error);
  bool is_old(long long since) const;
  Change pass_on(const Cidr& pool, LeaseRecord lease, std::string owner) const;
  Result<Strays> stray_leases(const Network& network);
  // Leases the address to its endpoint again. kExists names who has got it meanwhile.
  Status regain(const Network& network, const Lost& lost);

 private:
  Result<Claim> plan_wish(const Network& network, const EndpointSpec& spec, const AddressWish& wish,
                          unsigned attempt, state::Txn& txn);
  Result<Claim> plan_offered(const Network& network, const Cidr& subnet, AddressRequest request,
                             unsigned attempt, state::Txn& txn);
  Result<Claim> plan_here(const Network& network, const Cidr& subnet, const AddressRequest& request,
                          unsigned attempt);
  bool has_leases(const Endpoint& endpoint) const;
  // What is kept for the container, where nothing is asked for in its place.
  Result<std::vector<Reservation>> kept_for(const Network& network, const EndpointSpec& spec);
  std::string holder_of(const Network& network, const Cidr& pool, const IpAddress& address);

  ServiceContext& context_;
};

// A new owner of leases for the runtime itself.
std::string runtimes_own();
bool is_runtimes_own(const LeaseRecord& lease);
inline constexpr std::string_view kRuntimesOwn = "docker ";

// Whether the container has that id, or that name.
bool is_called(const EndpointSpec& spec, const std::string& name);

// The network's subnet with the address; nullptr when there is none.
const Subnet* subnet_of(const Network& network, const IpAddress& address);

}  // namespace fairlead::network
