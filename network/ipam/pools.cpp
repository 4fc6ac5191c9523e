#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "base/fault.h"
#include "base/hash.h"
#include "network/ipam/ipam.h"
#include "network/ipam/ranges.h"
#include "network/ipam/records.h"
#include "network/ipam/subnets.h"

namespace fairlead::network {

namespace {

constexpr std::size_t kChunk = 128;
constexpr unsigned kMostAttempts = 64;

Status check_subnet(const Cidr& subnet) {
  if (subnet.network() != subnet)
    return fail(Code::kInvalid, "{} has host bits set; did you mean {}?", subnet.to_string(),
                subnet.network().to_string());
  const IpAddress& first = subnet.address();
  if (first.is_loopback() || first.is_multicast() || first.is_any())
    return fail(Code::kInvalid, "subnet {} cannot be given to containers: it is reserved",
                subnet.to_string());
  return {};
}

Status check_request(const NewPool& request) {
  if (!request.subnet) {
    if (request.range)
      return fail(Code::kInvalid, "a range ({}) needs a subnet", request.range->to_string());
    if (request.gateway)
      return fail(Code::kInvalid, "a gateway ({}) needs a subnet", request.gateway->to_string());
    return {};
  }
  TRY_STATUS(check_subnet(*request.subnet));
  if (request.range) TRY_STATUS(usable_ranges(*request.subnet, {*request.range}));
  if (request.gateway && !request.subnet->contains(*request.gateway))
    return fail(Code::kInvalid, "the gateway {} is not inside the subnet {}",
                request.gateway->to_string(), request.subnet->to_string());
  return {};
}

Error held_by(const Cidr& subnet, const PoolRecord& holder) {
  const std::string what =
      subnet == holder.subnet ? "is" : fmt::format("overlaps {},", holder.subnet.to_string());
  const std::string whose =
      holder.network.empty()
          ? fmt::format("a pool that no network uses yet{}",
                        holder.owner.empty() ? "" : fmt::format(" (asked for by {})", holder.owner))
          : fmt::format(
                "the subnet of network {}{}", holder.owner.empty() ? holder.network : holder.owner,
                holder.owner.empty() ? "" : fmt::format(" ({})", holder.network.substr(0, 12)));
  return {Code::kExists, 0,
          fmt::format("subnet {} {} {}; choose another one", subnet.to_string(), what, whose)};
}

// The same pool is granted again when no network uses it, or when the requesting network does.
Result<PoolClaim> grant_again(const PoolRecord& pool, const NewPool& request) {
  if (!pool.network.empty() && pool.network != request.network)
    return fail(held_by(pool.subnet, pool));
  PoolRecord renewed{pool.subnet,     request.range, request.gateway,
                     request.network, request.owner, pool.revision};
  if (!request.gateway && !request.network.empty() && pool.network == request.network)
    renewed.gateway = pool.gateway;
  PoolClaim claim{.pool = renewed, .held = true};
  claim.change.preconditions = {{records::pool_key(pool.subnet), pool.revision}};
  if (renewed != pool)
    claim.change.puts = {{records::pool_key(pool.subnet), records::encode(renewed)}};
  return claim;
}

PoolClaim grant_new(const PoolRecord& pool, std::int64_t guard_revision) {
  const std::string key = records::pool_key(pool.subnet);
  PoolClaim claim{.pool = pool};
  claim.change.preconditions = {{key, state::kAbsent},
                                {std::string(records::kPoolGuard), guard_revision}};
  claim.change.puts = {
      {key, records::encode(pool)},
      {std::string(records::kPoolGuard), records::encode_last(pool.subnet.to_string())}};
  return claim;
}

// Commits what `plan` returns, and plans again on conflicts.
template <class Plan>
auto commit_plan(state::Store& store, std::string_view action, Plan plan) -> decltype(plan()) {
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(auto planned, plan());
    state::Txn txn{.durability = state::Durability::kDurable};
    planned.change.add_to(txn);
    const auto done = store.commit(txn);
    if (done) {
      if (!planned.change.puts.empty()) planned.pool.revision = done->revision;
      return planned;
    }
    if (done.error().code != Code::kConflict) return fail(done.error());
  }
  return fail(Code::kUnavailable, "{}: too many requests at once; try again", action);
}

}  // namespace

std::string ula_seed_of_host() {
  std::string id;
  std::ifstream file("/etc/machine-id");
  std::getline(file, id);
  if (!id.empty()) return id;
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

Result<Cidr> parse_pool_id(std::string_view id) {
  auto pool = Cidr::parse_subnet(id);
  if (!pool) return fail(with_context(pool.error(), "read the id of an address pool"));
  return pool;
}

Result<PoolClaim> Ipam::plan_pool(const NewPool& request, std::span<const Cidr> occupied) {
  TRY_STATUS(check_request(request));
  // The guard is read first. A pool that is committed after this line, and so may be missing in the
  // list below, changes the guard, and the commit conflicts.
  TRY(const auto guard, store_.get(records::kPoolGuard));
  TRY(const auto pools, list_pools());
  PoolRecord pool{.range = request.range,
                  .gateway = request.gateway,
                  .network = request.network,
                  .owner = request.owner};
  if (request.subnet) {
    pool.subnet = *request.subnet;
    for (const PoolRecord& other : pools) {
      if (other.subnet == pool.subnet) return grant_again(other, request);
      if (other.subnet.overlaps(pool.subnet)) return fail(held_by(pool.subnet, other));
    }
  } else {
    std::vector<Cidr> taken(occupied.begin(), occupied.end());
    for (const PoolRecord& other : pools) taken.push_back(other.subnet);
    Change noted;
    Cidr own;
    if (request.family == Family::kV6) {
      TRY(own, own_prefix(pools, noted));
    }
    TRY(pool.subnet, choose_subnet(request.family, request.prefix_length, own, taken));
    PoolClaim claim = grant_new(pool, guard ? guard->revision : state::kAbsent);
    for (const auto& precondition : noted.preconditions)
      claim.change.preconditions.push_back(precondition);
    for (const auto& put : noted.puts) claim.change.puts.push_back(put);
    return claim;
  }
  return grant_new(pool, guard ? guard->revision : state::kAbsent);
}

// This host's /48. It is chosen with the first pool that needs it, and noted in the transaction of that
// pool. An earlier version derived it from the host's machine id: where pools are in that one, it stays.
Result<Cidr> Ipam::own_prefix(const std::vector<PoolRecord>& pools, Change& noted) {
  TRY(const auto record, store_.get(records::kUlaPrefix));
  if (record) return records::decode_ula_prefix(*record);
  Cidr prefix = ula_prefix(options_.ula_seed);
  if (std::ranges::none_of(pools,
                           [&](const PoolRecord& pool) { return prefix.contains(pool.subnet); }))
    prefix = ula_prefix(random_hex(32));
  const std::string key(records::kUlaPrefix);
  noted = {.preconditions = {{key, state::kAbsent}},
           .puts = {{key, records::encode_ula_prefix(prefix)}}};
  return prefix;
}

Result<Change> Ipam::plan_use(const Cidr& pool, const std::string& network,
                              std::optional<IpAddress> gateway) {
  TRY(auto found, find_pool(pool));
  if (!found) return fail(Code::kNotFound, "there is no address pool {}", pool.to_string());
  if (!network.empty() && !found->network.empty() && found->network != network)
    return fail(held_by(pool, *found));
  const std::string key = records::pool_key(pool);
  PoolRecord used = *found;
  used.network = network;
  if (gateway) used.gateway = gateway;
  Change change{.preconditions = {{key, found->revision}}};
  if (used != *found) change.puts = {{key, records::encode(used)}};
  return change;
}

Result<Change> Ipam::remove_pool_plan(const Cidr& pool) {
  TRY(const auto found, find_pool(pool));
  if (!found) return Change{};
  TRY_STATUS(drop_leases(
      pool, [](const LeaseRecord& lease) { return lease.use == AddressUse::kEndpoint; }));
  const std::string key = records::pool_key(pool), cursor = records::cursor_key(pool, {});
  Change change{.preconditions = {{key, found->revision}}, .deletes = {key, cursor}};
  TRY(const auto cursors, store_.list(cursor + "/"));
  for (const state::Record& record : cursors) change.deletes.push_back(record.key);
  TRY(const auto leases, store_.list(records::lease_prefix(pool)));
  for (const state::Record& record : leases) change.deletes.push_back(record.key);
  return change;
}

Result<PoolRecord> Ipam::create_pool(const NewPool& request, std::span<const Cidr> occupied) {
  TRY(auto claim,
      commit_plan(store_, "create an address pool", [&] { return plan_pool(request, occupied); }));
  return claim.pool;
}

Status Ipam::remove_pool(const Cidr& pool) {
  struct Removal {
    Change change;
    PoolRecord pool;
  };
  const auto plan = [&]() -> Result<Removal> {
    TRY(auto change, remove_pool_plan(pool));
    return Removal{std::move(change), {}};
  };
  return status_of(
      commit_plan(store_, fmt::format("remove the address pool {}", pool.to_string()), plan));
}

Result<std::optional<PoolRecord>> Ipam::find_pool(const Cidr& pool) {
  TRY(const auto record, store_.get(records::pool_key(pool)));
  if (!record) return std::optional<PoolRecord>();
  TRY(auto decoded, records::decode_pool(*record));
  return std::optional<PoolRecord>(std::move(decoded));
}

Result<std::vector<PoolRecord>> Ipam::list_pools() {
  TRY(const auto found, store_.list(records::kPoolPrefix));
  std::vector<PoolRecord> pools;
  for (const state::Record& record : found) {
    TRY(auto pool, records::decode_pool(record));
    pools.push_back(std::move(pool));
  }
  return pools;
}

Result<std::size_t> Ipam::count_leases() {
  TRY(const auto found, store_.list(records::kLeasePrefix));
  return found.size();
}

Result<std::size_t> Ipam::drop_void_leases(const Cidr& pool) {
  return drop_leases(pool, [this](const LeaseRecord& lease) { return !in_this_boot(lease); });
}

// When a lease changes meanwhile the commit conflicts and the page is read again, because the lease
// may be somebody's by now.
Result<std::size_t> Ipam::drop_leases(const Cidr& pool,
                                      const std::function<bool(const LeaseRecord&)>& unwanted) {
  const std::string prefix = records::lease_prefix(pool);
  std::size_t dropped = 0;
  for (std::string after;;) {
    TRY(const auto page, store_.list(prefix, after, kChunk));
    state::Txn txn;
    for (const state::Record& record : page) {
      TRY(const auto lease, records::decode_lease(record));
      if (!unwanted(lease)) continue;
      txn.preconditions.push_back({record.key, record.revision});
      txn.deletes.push_back(record.key);
    }
    const auto done = txn.deletes.empty() ? Result<state::CommitResult>() : store_.commit(txn);
    if (!done && done.error().code == Code::kConflict) continue;
    if (!done) return fail(done.error());
    dropped += txn.deletes.size();
    if (page.size() < kChunk) return dropped;
    after = page.back().key;
    fault_point("ipam.leases.dropped");
  }
}

}  // namespace fairlead::network
