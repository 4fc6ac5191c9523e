// Address pools and leases, kept in the store and changed by compare-and-set.
//
// The calls only plan: plan() and the others return the preconditions and puts that take an
// address, and the caller commits them in one transaction together with the records that need the
// address. On kConflict the caller plans again, as `allocate` does. No call takes a lock, reads a
// clock or keeps state between calls, so several processes may work at the same time.
//
// Keys (a pool's key is the hex of its first address and its prefix length, so that keys sort as
// addresses do):
//
//   pool/0ad00000-24             {"subnet":"10.208.0.0/24","range":"10.208.0.128/25",
//                                 "gateway":"10.208.0.1","network":"<id of the network that uses it>",
//                                 "owner":"<who asked, for people>"}
//   lease/0ad00000-24/0ad00002   {"owner":"<endpoint>","use":"endpoint","boot":"<boot id>",
//                                 "since":<when the owner took it, Unix seconds>,
//                                 "reserved_for":"<the container for which it is kept>"}
//   cursor/0ad00000-24           {"last":"10.208.0.2"}: the address given last; the search goes on
//                                after it
//   cursor/0ad00000-24/<hash>    the same for requests that bring ranges of their own
//   pool-guard                   {"last":"10.208.0.0/24"}: changed by each new pool, so that of two
//                                creators that each see no overlap only one commits
//
//   ula-prefix                   {"prefix":"fd12:3456:789a::/48"}: this host's own, chosen at random
//
// A lease of an earlier boot is void: its address is free, and the record is overwritten. A lease
// with an empty boot id survives reboots (gateways and reserved addresses). One with "reserved_for"
// is given to that container only; while the container does not have it, it has no owner. There is no bitmap of a
// pool's addresses, because every allocation would have to write the same key.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/state/store.h"
#include "network/api/service.h"

namespace fairlead::network {

struct PoolRecord {
  Cidr subnet;
  // Addresses are given out of it only, unless the request wants a certain one.
  std::optional<Cidr> range;
  std::optional<IpAddress> gateway;  // never given to an endpoint
  std::string network;               // id of the network that uses the pool; empty: none yet
  std::string owner;                 // for people: the network's name, "docker", ...
  std::int64_t revision = 0;         // of the stored record; 0: not stored yet

  bool operator==(const PoolRecord&) const = default;
};

struct LeaseRecord {
  IpAddress address;
  std::string owner;
  AddressUse use = AddressUse::kEndpoint;
  std::string boot_id;  // empty: survives reboots
  std::int64_t revision = 0;
  // When the owner took it, Unix seconds; 0: written by a version that did not store it.
  long long since = 0;
  std::string reserved_for{};  // the container for which it is kept

  bool operator==(const LeaseRecord&) const = default;
};

// A request for a new pool.
struct NewPool {
  std::optional<Cidr> subnet;             // std::nullopt: a free one is chosen
  Family family = Family::kV4;            // of a chosen subnet
  std::optional<unsigned> prefix_length;  // of a chosen subnet; default 24 (IPv4), 64 (IPv6)
  std::optional<Cidr> range;              // needs `subnet`
  std::optional<IpAddress> gateway;
  std::string network;
  std::string owner;
};

// A planned change, to be merged into the caller's transaction.
struct Change {
  std::vector<state::Precondition> preconditions;
  std::vector<state::Put> puts;
  std::vector<std::string> deletes;

  bool empty() const { return puts.empty() && deletes.empty(); }
  void add_to(state::Txn& txn) const;
};

// A free address, with the revision of the lease that is overwritten, or kAbsent when there is none.
struct FreePlace {
  IpAddress address;
  std::int64_t revision = state::kAbsent;
};

struct Claim {
  Cidr address;  // with the prefix length of the pool
  Change change;
  bool held = false;  // the owner has the address already; `change` has only preconditions
};

struct PoolClaim {
  PoolRecord pool;
  Change change;
  bool held = false;  // the pool existed, unused or used by the same network, and is granted again
};

struct AddressRequest {
  std::string owner;  // not empty; the same owner may request the same wanted address again
  AddressUse use = AddressUse::kEndpoint;
  std::optional<IpAddress>
      // Exactly this address, which must be inside the subnet, and may be outside the ranges.
      wanted;
  std::vector<Cidr> ranges;  // addresses are taken from these instead of the pool's range
  long long since = 0;       // the current time in Unix seconds, stored in the lease
  // The wanted address may be one that is kept: for this container, or with kAnyReservation for
  // whichever.
  std::string reserved_for{};
};

inline constexpr std::string_view kAnyReservation = "*";

struct IpamOptions {
  std::string boot_id;  // of this boot: base/host.h
  // A stable text of this host, ula_seed_of_host(), from which earlier versions made its IPv6 prefix.
  std::string ula_seed;
};

// The machine id of this host, or its name when it has none.
std::string ula_seed_of_host();

// Reads the id of a pool, which is the text of its subnet. kInvalid when the text is not a subnet.
Result<Cidr> parse_pool_id(std::string_view id);

// Thread-safe, since the only state is in the store, which must outlive the object. Every function
// may fail with the store's errors.
class Ipam {
 public:
  Ipam(state::Store& store, IpamOptions options) : store_(store), options_(std::move(options)) {}

  // ---- addresses

  // Finds an address. `attempt` is the number of conflicts that the caller has had with this
  // request; above 0 the search starts a few random addresses further, so that concurrent requests
  // choose different ones. kNotFound when there is no such pool; kInvalid when the wanted address
  // is outside the subnet or is its network or broadcast address, or when a range is outside the
  // subnet; kExists when the wanted address is taken (the text names the owner); kExhausted when no
  // address is free. A transaction may contain one claim without `wanted` for each pool. The search
  // costs three reads, and one page of leases for each 128 taken addresses that it passes.
  Result<Claim> plan(const Cidr& pool, const AddressRequest& request, unsigned attempt = 0);

  // Gives an address back; one that is kept for a container has no owner then. The change is empty when
  // the address is not leased, or is leased to another owner than `owner`. An empty `owner` stands for
  // every owner.
  Result<Change> release_plan(const Cidr& pool, const IpAddress& address, std::string_view owner);

  // Gives back, or writes again, a lease that the caller has read. The change conflicts if the
  // stored lease has changed since.
  static Change release_plan(const Cidr& pool, const LeaseRecord& lease);
  static Change rewrite_plan(const Cidr& pool, const LeaseRecord& lease);

  // Keeps the address for the container. `owner` is the endpoint that may have it already. kExists when
  // another one has it, or it is kept for another container.
  Result<Change> keep_plan(const Cidr& pool, const IpAddress& address, const std::string& container,
                           std::string_view owner);
  // Keeps it no longer. Whoever has it goes on to have it.
  Result<Change> unkeep_plan(const Cidr& pool, const IpAddress& address);

  // Plan and commit, and plan again on conflicts. A gateway or reserved address is committed
  // durably.
  Result<Cidr> allocate(const Cidr& pool, const AddressRequest& request);
  Status release(const Cidr& pool, const IpAddress& address, std::string_view owner);

  // ---- pools

  // Plans a pool that overlaps no other one. A chosen subnet also overlaps none of `occupied`
  // (routes and name servers of the host). A requested subnet that is a pool already is granted
  // again when no network uses it, or when `request.network` does. kExists names the holder of an
  // overlapping pool; kInvalid for a bad range, gateway or size; kExhausted when no default pool is
  // free. A transaction may contain one new pool only, so the pools of two families are planned and
  // committed one after the other.
  Result<PoolClaim> plan_pool(const NewPool& request, std::span<const Cidr> occupied = {});
  // Sets the network that uses the pool (empty: none) and, if given, the gateway. kNotFound when
  // there is no such pool; kExists when another network uses it.
  Result<Change> plan_use(const Cidr& pool, const std::string& network,
                          std::optional<IpAddress> gateway = {});
  // Deletes a pool with all its leases; the change is empty when there is no such pool. The leases
  // of endpoints, of which there may be many, are deleted by separate commits during this call. The
  // change deletes the pool, its cursors, and the leases of its gateway and reserved addresses. The
  // caller has to make sure that nobody uses the pool.
  Result<Change> remove_pool_plan(const Cidr& pool);

  // Plan and commit durably, and plan again on conflicts.
  Result<PoolRecord> create_pool(const NewPool& request, std::span<const Cidr> occupied = {});
  Status remove_pool(const Cidr& pool);

  // ---- cold paths

  Result<std::optional<PoolRecord>> find_pool(const Cidr& pool);
  Result<std::vector<PoolRecord>> list_pools();
  Result<std::size_t> count_leases();  // of all pools
  // The lease of one address; std::nullopt when there is none, or only a void one.
  Result<std::optional<LeaseRecord>> find_lease(const Cidr& pool, const IpAddress& address);
  // All leases that are not void, in the order of their addresses.
  Result<std::vector<LeaseRecord>> list_leases(const Cidr& pool);
  // Deletes the leases of earlier boots, whose addresses are free already, to save space. Returns
  // how many it deleted.
  Result<std::size_t> drop_void_leases(const Cidr& pool);

 private:
  // Whether it is of an earlier boot.
  bool is_void(const LeaseRecord& lease) const;
  // What a stored lease means in this boot; std::nullopt: the address is free.
  std::optional<LeaseRecord> in_this_boot(LeaseRecord lease) const;
  Result<Cidr> own_prefix(const std::vector<PoolRecord>& pools, Change& noted);
  Result<Claim> plan_wanted(const PoolRecord& pool, const AddressRequest& request);
  // The claim of a free address, which stays kept for the container.
  Claim claim_of(const PoolRecord& pool, const AddressRequest& request, const FreePlace& place,
                 const std::string& reserved_for = {}) const;
  // Deletes the leases for which `unwanted` is true, page by page. Returns how many it deleted.
  Result<std::size_t> drop_leases(const Cidr& pool,
                                  const std::function<bool(const LeaseRecord&)>& unwanted);

  state::Store& store_;
  IpamOptions options_;
};

}  // namespace fairlead::network
