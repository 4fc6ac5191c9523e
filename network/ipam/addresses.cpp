#include <algorithm>
#include <random>

#include "base/hash.h"
#include "network/ipam/ipam.h"
#include "network/ipam/ranges.h"
#include "network/ipam/records.h"

namespace fairlead::network {

namespace {

constexpr std::size_t kPage = 128;
constexpr unsigned kMostAttempts = 64;

// Goes through the leases of a range in the order of their addresses, up to the first gap.
class GapSearch {
 public:
  GapSearch(state::Store& store, const PoolRecord& pool, const std::string& boot_id)
      : store_(store), pool_(pool), boot_id_(boot_id) {}

  Result<std::optional<FreePlace>> first_free(const AddressRange& range) {
    TRY(const auto record, store_.get(records::lease_key(pool_.subnet, range.first)));
    if (range.first != pool_.gateway) {
      if (!record) return place(range.first);
      TRY(const auto lease, records::decode_lease(*record));
      if (is_void(lease)) return place(range.first, lease.revision);
    }
    return page_through(range);
  }

 private:
  bool is_void(const LeaseRecord& lease) const {
    return !lease.boot_id.empty() && lease.boot_id != boot_id_ && lease.reserved_for.empty();
  }

  static Result<std::optional<FreePlace>> place(const IpAddress& address,
                                                std::int64_t revision = state::kAbsent) {
    return std::optional(FreePlace{address, revision});
  }

  // Searches after the first address of the range, which is taken.
  Result<std::optional<FreePlace>> page_through(const AddressRange& range) {
    std::string after = records::lease_key(pool_.subnet, range.first);
    const std::string prefix = records::lease_prefix(pool_.subnet);
    auto next = range.first.plus(1);
    while (next && *next <= range.last) {
      TRY(const auto page, store_.list(prefix, after, kPage));
      TRY(auto found, first_gap(page, next));
      if (!found && page.size() < kPage && next) found = free_unless_gateway(next);
      if (found && found->address <= range.last) return found;
      if (found || page.size() < kPage) break;
      after = page.back().key;
    }
    return std::optional<FreePlace>();
  }

  // `next` is the first address that is not known to be taken, and is moved on. std::nullopt when
  // the leases of this page have no gap.
  Result<std::optional<FreePlace>> first_gap(const std::vector<state::Record>& page,
                                             std::optional<IpAddress>& next) {
    for (const state::Record& record : page) {
      if (!next) break;
      TRY(const auto lease, records::decode_lease(record));
      if (*next < lease.address && *next == pool_.gateway) next = next->plus(1);
      if (*next < lease.address) return place(*next);
      if (is_void(lease) && *next != pool_.gateway) return place(*next, lease.revision);
      next = next->plus(1);
    }
    return std::optional<FreePlace>();
  }

  // After the last lease every address is free except the gateway.
  std::optional<FreePlace> free_unless_gateway(std::optional<IpAddress> next) const {
    if (*next == pool_.gateway) next = next->plus(1);
    if (!next) return std::nullopt;
    return FreePlace{*next};
  }

  state::Store& store_;
  const PoolRecord& pool_;
  const std::string& boot_id_;
};

std::uint64_t random_steps(unsigned attempt) {
  thread_local std::minstd_rand random{static_cast<std::uint32_t>(random_word())};
  const unsigned most = 4U << std::min(attempt, 6U);
  return attempt == 0 ? 0 : std::uniform_int_distribution<std::uint64_t>(0, most)(random);
}

Result<PoolRecord> need_pool(Ipam& ipam, const Cidr& pool) {
  TRY(const auto found, ipam.find_pool(pool));
  if (found) return *found;
  return fail(Code::kNotFound, "there is no address pool {}", pool.to_string());
}

std::vector<Cidr> ranges_of(const PoolRecord& pool, const AddressRequest& request) {
  if (!request.ranges.empty()) return request.ranges;
  return pool.range ? std::vector<Cidr>{*pool.range} : std::vector<Cidr>{};
}

Result<FreePlace> find_free(state::Store& store, const PoolRecord& pool,
                            const AddressRequest& request, const std::string& boot_id,
                            std::uint64_t steps) {
  const auto inside = ranges_of(pool, request);
  TRY(const auto ranges, usable_ranges(pool.subnet, inside));
  TRY(const auto cursor, store.get(records::cursor_key(pool.subnet, request.ranges)));
  std::optional<IpAddress> last;
  if (cursor) {
    TRY(last, records::decode_cursor(*cursor));
  }
  GapSearch search(store, pool, boot_id);
  for (const AddressRange& range : search_order(ranges, last, steps)) {
    TRY(const auto found, search.first_free(range));
    if (found) return *found;
  }
  std::string within;
  for (const Cidr& range : inside)
    within += fmt::format("{}{}", within.empty() ? " in range " : ", ", range.to_string());
  return fail(Code::kExhausted,
              "no address of {}{} is free; remove containers that are not needed or use a network "
              "with a larger subnet",
              pool.subnet.to_string(), within);
}

// A lease that is kept for a container which does not have it.
LeaseRecord without_owner(LeaseRecord lease) {
  lease.owner.clear();
  lease.use = AddressUse::kReserved;
  lease.boot_id.clear();
  return lease;
}

bool may_take(const AddressRequest& request, const LeaseRecord& kept) {
  return request.reserved_for == kAnyReservation || request.reserved_for == kept.reserved_for;
}

// Removes the lease, or its owner where it is kept for a container.
Change giving_back(const std::string& key, const LeaseRecord& lease, std::int64_t revision) {
  if (lease.reserved_for.empty()) return {.preconditions = {{key, revision}}, .deletes = {key}};
  return {.preconditions = {{key, revision}},
          .puts = {{key, records::encode(without_owner(lease))}}};
}

Status check_wanted(const PoolRecord& pool, const IpAddress& wanted, AddressUse use) {
  const Cidr& subnet = pool.subnet;
  if (!subnet.contains(wanted))
    return fail(Code::kInvalid, "address {} is not inside the subnet {}", wanted.to_string(),
                subnet.to_string());
  const AddressRange all = usable(subnet);
  if (!all.contains(wanted))
    return fail(Code::kInvalid, "address {} is the {} address of {}; use {} to {}",
                wanted.to_string(), wanted < all.first ? "network" : "broadcast",
                subnet.to_string(), all.first.to_string(), all.last.to_string());
  if (use == AddressUse::kEndpoint && wanted == pool.gateway)
    return fail(Code::kExists, "address {} of {} is the gateway", wanted.to_string(),
                subnet.to_string());
  return {};
}

}  // namespace

bool Ipam::is_void(const LeaseRecord& lease) const {
  return !lease.boot_id.empty() && lease.boot_id != options_.boot_id;
}

std::optional<LeaseRecord> Ipam::in_this_boot(LeaseRecord lease) const {
  if (!is_void(lease)) return lease;
  if (lease.reserved_for.empty()) return std::nullopt;
  return without_owner(std::move(lease));
}

void Change::add_to(state::Txn& txn) const {
  txn.preconditions.insert(txn.preconditions.end(), preconditions.begin(), preconditions.end());
  txn.puts.insert(txn.puts.end(), puts.begin(), puts.end());
  txn.deletes.insert(txn.deletes.end(), deletes.begin(), deletes.end());
}

Result<Claim> Ipam::plan(const Cidr& pool, const AddressRequest& request, unsigned attempt) {
  if (request.owner.empty())
    return fail(Code::kInvalid, "an address of {} needs an owner", pool.to_string());
  TRY(const auto record, need_pool(*this, pool));
  if (request.wanted) return plan_wanted(record, request);
  TRY(const auto place,
      find_free(store_, record, request, options_.boot_id, random_steps(attempt)));
  Claim claim = claim_of(record, request, place);
  claim.change.puts.push_back({records::cursor_key(record.subnet, request.ranges),
                               records::encode_last(place.address.to_string())});
  return claim;
}

Result<Claim> Ipam::plan_wanted(const PoolRecord& pool, const AddressRequest& request) {
  TRY_STATUS(check_wanted(pool, *request.wanted, request.use));
  const std::string key = records::lease_key(pool.subnet, *request.wanted);
  TRY(const auto record, store_.get(key));
  if (!record) return claim_of(pool, request, {*request.wanted});
  TRY(auto stored, records::decode_lease(*record));
  const std::int64_t revision = stored.revision;
  const auto lease = in_this_boot(std::move(stored));
  if (!lease) return claim_of(pool, request, {*request.wanted, revision});
  if (lease->owner.empty()) {
    if (may_take(request, *lease))
      return claim_of(pool, request, {*request.wanted, revision}, lease->reserved_for);
    return fail(Code::kExists, "address {} of {} is kept for container {}",
                request.wanted->to_string(), pool.subnet.to_string(), lease->reserved_for);
  }
  if (lease->owner != request.owner)
    return fail(Code::kExists, "address {} of {} is taken by {}", request.wanted->to_string(),
                pool.subnet.to_string(), lease->owner);
  if (lease->use != request.use)
    return claim_of(pool, request, {*request.wanted, revision}, lease->reserved_for);
  return Claim{.address = Cidr::of(*request.wanted, pool.subnet.prefix_length()),
               .change = {.preconditions = {{key, revision}}},
               .held = true};
}

Claim Ipam::claim_of(const PoolRecord& pool, const AddressRequest& request, const FreePlace& place,
                     const std::string& reserved_for) const {
  const auto& [address, revision] = place;
  const std::string key = records::lease_key(pool.subnet, address);
  const std::string boot_id = request.use == AddressUse::kEndpoint ? options_.boot_id : "";
  Claim claim{.address = Cidr::of(address, pool.subnet.prefix_length())};
  claim.change.preconditions = {{records::pool_key(pool.subnet), pool.revision}, {key, revision}};
  claim.change.puts = {
      {key, records::encode(LeaseRecord{address, request.owner, request.use, boot_id, 0,
                                        request.since, reserved_for})}};
  return claim;
}

Result<Change> Ipam::release_plan(const Cidr& pool, const IpAddress& address,
                                  std::string_view owner) {
  const std::string key = records::lease_key(pool, address);
  TRY(const auto record, store_.get(key));
  if (!record) return Change{};
  TRY(const auto lease, records::decode_lease(*record));
  if (!owner.empty() && lease.owner != owner) return Change{};
  return giving_back(key, lease, record->revision);
}

Change Ipam::release_plan(const Cidr& pool, const LeaseRecord& lease) {
  return giving_back(records::lease_key(pool, lease.address), lease, lease.revision);
}

Result<Change> Ipam::keep_plan(const Cidr& pool, const IpAddress& address,
                               const std::string& container, std::string_view owner) {
  TRY(const auto record, need_pool(*this, pool));
  TRY_STATUS(check_wanted(record, address, AddressUse::kEndpoint));
  const std::string key = records::lease_key(pool, address);
  TRY(auto stored, store_.get(key));
  LeaseRecord kept{.address = address, .use = AddressUse::kReserved, .reserved_for = container};
  const std::int64_t revision = stored ? stored->revision : state::kAbsent;
  if (stored) {
    TRY(auto decoded, records::decode_lease(*stored));
    const auto lease = in_this_boot(std::move(decoded));
    if (lease && !lease->reserved_for.empty() && lease->reserved_for != container)
      return fail(Code::kExists, "address {} of {} is kept for container {}", address.to_string(),
                  pool.to_string(), lease->reserved_for);
    if (lease && !lease->owner.empty() && lease->owner != owner)
      return fail(Code::kExists, "address {} of {} is taken by {}", address.to_string(),
                  pool.to_string(), lease->owner);
    if (lease) kept = *lease;
    kept.reserved_for = container;
  }
  return Change{.preconditions = {{records::pool_key(pool), record.revision}, {key, revision}},
                .puts = {{key, records::encode(kept)}}};
}

Result<Change> Ipam::unkeep_plan(const Cidr& pool, const IpAddress& address) {
  const std::string key = records::lease_key(pool, address);
  TRY(const auto record, store_.get(key));
  if (!record) return Change{};
  TRY(auto lease, records::decode_lease(*record));
  if (lease.reserved_for.empty()) return Change{};
  lease.reserved_for.clear();
  if (lease.owner.empty() || is_void(lease))
    return Change{.preconditions = {{key, record->revision}}, .deletes = {key}};
  return Change{.preconditions = {{key, record->revision}},
                .puts = {{key, records::encode(lease)}}};
}

Change Ipam::rewrite_plan(const Cidr& pool, const LeaseRecord& lease) {
  const std::string key = records::lease_key(pool, lease.address);
  return Change{.preconditions = {{key, lease.revision}}, .puts = {{key, records::encode(lease)}}};
}

Result<Cidr> Ipam::allocate(const Cidr& pool, const AddressRequest& request) {
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(const auto claim, plan(pool, request, attempt));
    if (claim.held) return claim.address;
    state::Txn txn;
    claim.change.add_to(txn);
    if (request.use != AddressUse::kEndpoint) txn.durability = state::Durability::kDurable;
    const auto done = store_.commit(txn);
    if (done) return claim.address;
    if (done.error().code != Code::kConflict) return fail(done.error());
  }
  return fail(Code::kUnavailable, "allocate an address of {}: too many requests at once; try again",
              pool.to_string());
}

Status Ipam::release(const Cidr& pool, const IpAddress& address, std::string_view owner) {
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(const auto change, release_plan(pool, address, owner));
    if (change.empty()) return {};
    state::Txn txn;
    change.add_to(txn);
    const auto done = store_.commit(txn);
    if (done) return {};
    if (done.error().code != Code::kConflict) return fail(done.error());
  }
  return fail(Code::kUnavailable, "release {} of {}: it keeps changing; try again",
              address.to_string(), pool.to_string());
}

Result<std::optional<LeaseRecord>> Ipam::find_lease(const Cidr& pool, const IpAddress& address) {
  TRY(const auto record, store_.get(records::lease_key(pool, address)));
  if (!record) return std::optional<LeaseRecord>();
  TRY(auto lease, records::decode_lease(*record));
  return in_this_boot(std::move(lease));
}

Result<std::vector<LeaseRecord>> Ipam::list_leases(const Cidr& pool) {
  TRY(const auto found, store_.list(records::lease_prefix(pool)));
  std::vector<LeaseRecord> leases;
  for (const state::Record& record : found) {
    TRY(auto decoded, records::decode_lease(record));
    if (auto lease = in_this_boot(std::move(decoded))) leases.push_back(std::move(*lease));
  }
  return leases;
}

}  // namespace fairlead::network
