// Pools and leases of addresses, over the store, by compare-and-set.
//
// A call here plans: it says which preconditions and puts take an address, and the caller commits
// them in one transaction together with the records the address is for. On kConflict the caller
// plans again (see `allocate` for the loop). No call takes a lock, reads a clock or keeps anything
// between calls, so several processes may work at once.
//
// Keys (a pool's key is the hex of its first address and its prefix length, so that keys sort as
// addresses do):
//
//   pool/0ad00000-24             {"subnet":"10.208.0.0/24","range":"10.208.0.128/25",
//                                 "gateway":"10.208.0.1","network":"<id of the network that uses it>",
//                                 "owner":"<who asked, for people>"}
//   lease/0ad00000-24/0ad00002   {"owner":"<endpoint>","use":"endpoint","boot":"<boot id>",
//                                 "since":<when the owner took it, Unix seconds>}
//   cursor/0ad00000-24           {"last":"10.208.0.2"}: the address given last; the search goes on
//                                behind it
//   cursor/0ad00000-24/<hash>    the same for requests that bring ranges of their own
//   pool-guard                   {"last":"10.208.0.0/24"}: changed by each new pool, so that of two
//                                creators that each see no overlap only one commits
//
// A lease of another boot is void: free, and overwritten in place. An empty boot id survives
// reboots (gateways and reserved addresses). A bitmap per pool was rejected: every allocation would
// write the same key.
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
  std::optional<Cidr> range;         // addresses are given out of it only, unless one is wanted
  std::optional<IpAddress> gateway;  // never given out
  std::string network;               // id of the network that uses the pool; empty: none yet
  std::string owner;                 // for people: the network's name, "docker", ...
  std::int64_t revision = 0;         // of the stored record

  bool operator==(const PoolRecord&) const = default;
};

struct LeaseRecord {
  IpAddress address;
  std::string owner;
  AddressUse use = AddressUse::kEndpoint;
  std::string boot_id;  // empty: survives reboots
  std::int64_t revision = 0;
  long long since = 0;  // when the owner took it, Unix seconds; 0: an earlier version did not say

  bool operator==(const LeaseRecord&) const = default;
};

// What a new pool should be. `occupied` prefixes (routes and name servers of the host) are given
// beside it.
struct NewPool {
  std::optional<Cidr> subnet;             // nothing: a free one is chosen
  Family family = Family::kV4;            // when chosen
  std::optional<unsigned> prefix_length;  // when chosen; default 24 (IPv4), 64 (IPv6)
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

  void add_to(state::Txn& txn) const;
};

struct Claim {
  Cidr address;  // with the pool's prefix length
  Change change;
  bool held = false;  // the owner had it already: nothing but preconditions in `change`
};

struct PoolClaim {
  PoolRecord pool;
  Change change;
  bool held = false;  // the same pool was there, unused or with the same network: granted again
};

struct AddressRequest {
  std::string owner;  // not empty; the same owner may ask for the same wanted address again
  AddressUse use = AddressUse::kEndpoint;
  std::optional<IpAddress>
      wanted;  // exactly this one, inside the subnet, not necessarily inside the ranges
  std::vector<Cidr> ranges;  // give out of these instead of the pool's range
  long long since = 0;       // now, Unix seconds: remembered in the lease
};

struct IpamOptions {
  std::string boot_id;   // of this boot: base/host.h
  std::string ula_seed;  // anything that is this host's own and stable: ula_seed_of_host()
};

// The machine id of this host, or its name where there is none.
std::string ula_seed_of_host();

// A pool's id is its subnet's text. kInvalid when it is not one.
Result<Cidr> parse_pool_id(std::string_view id);

// Thread-safe, without state of its own; the store must outlive it. Every function may fail with
// the store's errors.
class Ipam {
 public:
  Ipam(state::Store& store, IpamOptions options) : store_(store), options_(std::move(options)) {}

  // ---- addresses

  // Finds an address. `attempt` counts the conflicts the caller had with this request: above 0 the
  // search starts a few random steps further, so that many at once spread out. kNotFound: no such
  // pool; kInvalid: the wanted address is outside the subnet or is its network or broadcast
  // address, or a range is outside; kExists: the wanted one is taken (the text names the owner);
  // kExhausted. One transaction may hold one claim per pool without `wanted`. Cost: three reads,
  // and one page of leases for each 128 neighbours that are taken.
  Result<Claim> plan(const Cidr& pool, const AddressRequest& request, unsigned attempt = 0);

  // Gives an address back. Nothing to do (an empty change) when it is not leased, or leased to
  // another than `owner`; an empty owner releases whoever holds it.
  Result<Change> release_plan(const Cidr& pool, const IpAddress& address, std::string_view owner);

  // Gives back the lease that was read, or writes it anew, unless it has changed since.
  static Change release_plan(const Cidr& pool, const LeaseRecord& lease);
  static Change rewrite_plan(const Cidr& pool, const LeaseRecord& lease);

  // The same, committed, planning again on conflicts. A gateway or reserved address is committed
  // durably.
  Result<Cidr> allocate(const Cidr& pool, const AddressRequest& request);
  Status release(const Cidr& pool, const IpAddress& address, std::string_view owner);

  // ---- pools

  // A pool that overlaps no other, and, when chosen, none of `occupied`. An explicit subnet that is
  // a pool already is granted again when no network uses it, or `request.network` does. kExists
  // names the holder of an overlapping pool; kInvalid for a bad range, gateway or size; kExhausted
  // when no default pool is free. One transaction may hold one new pool: those of two families are
  // planned and committed one after the other.
  Result<PoolClaim> plan_pool(const NewPool& request, std::span<const Cidr> occupied = {});
  // Says which network uses the pool, from now on (empty: none). kNotFound; kExists when another
  // network uses it.
  Result<Change> plan_use(const Cidr& pool, const std::string& network,
                          std::optional<IpAddress> gateway = {});
  // Takes a pool away with all its leases; nothing to do when there is none. The leases of
  // endpoints, of which there may be many, are deleted by commits of its own beforehand; what the
  // change holds is the pool, its cursors, its gateway and reserved leases. The caller has made
  // sure that nobody uses it.
  Result<Change> remove_pool_plan(const Cidr& pool);

  // The same, committed (durably).
  Result<PoolRecord> create_pool(const NewPool& request, std::span<const Cidr> occupied = {});
  Status remove_pool(const Cidr& pool);

  // ---- cold paths

  Result<std::optional<PoolRecord>> find_pool(const Cidr& pool);
  Result<std::vector<PoolRecord>> list_pools();
  // The lease of one address; void ones are nothing.
  Result<std::optional<LeaseRecord>> find_lease(const Cidr& pool, const IpAddress& address);
  // All leases that count, in order of addresses.
  Result<std::vector<LeaseRecord>> list_leases(const Cidr& pool);
  // Deletes the leases of earlier boots (they are free already; this only tidies). Returns how
  // many.
  Result<std::size_t> drop_void_leases(const Cidr& pool);

 private:
  bool is_void(const LeaseRecord& lease) const;
  Result<Claim> plan_wanted(const PoolRecord& pool, const AddressRequest& request);
  // Overwrites the lease at `revision`.
  Claim claim_of(const PoolRecord& pool, const AddressRequest& request, const IpAddress& address,
                 std::int64_t revision) const;
  // Deletes the leases that are `unwanted`, page by page. Returns how many.
  Result<std::size_t> drop_leases(const Cidr& pool,
                                  const std::function<bool(const LeaseRecord&)>& unwanted);

  state::Store& store_;
  IpamOptions options_;
};

}  // namespace fairlead::network
