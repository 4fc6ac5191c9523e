// Keeping what this host owns in step with what it uses.
#include "base/fault.h"
#include "base/log.h"
#include "network/cluster/addresses.h"
#include "network/cluster/block_layout.h"
#include "network/cluster/keys.h"

namespace fairlead::network::cluster {

namespace {

std::uint64_t size_of(const std::vector<Cidr>& ranges) {
  std::uint64_t total = 0;
  for (const Cidr& range : ranges)
    total = total + range.size() < total ? UINT64_MAX : total + range.size();
  return total;
}

// Rounded up, without an overflow.
std::uint64_t part_of(std::uint64_t total, std::uint64_t percent) {
  return total / 100 * percent + (total % 100 * percent + 99) / 100;
}

// The first of several errors.
class Outcome {
 public:
  void add(Status status) {
    if (!status && first_) first_ = std::move(status);
  }
  Status first() const { return first_; }

 private:
  Status first_;
};

}  // namespace

Status StoreAddresses::maintain(LeaseBook& book) {
  const std::scoped_lock hold(claims_);
  TRY_STATUS(fence_.check());
  Outcome outcome;
  outcome.add(restore(book));
  if (!audited_) outcome.add(audit());
  TRY(const auto blocks, local_.list(keys::kLocalBlocks));
  std::map<std::pair<std::string, Family>, Occupancy> fills;
  for (const state::Record& record : blocks) {
    TRY(auto block, decode<LocalBlock>(record));
    const std::string network_id(keys::network_part(record.key));
    Occupancy& fill = fills[{network_id, block.block.family()}];
    outcome.add(maintain_block(network_id, std::move(block), book, fill));
  }
  for (const auto& [where, fill] : fills) {
    if (fence_.rollback_detector().is_quarantined() || fill.total == 0 ||
        fill.used < part_of(fill.total, kClaimAtPercent))
      continue;
    auto claimed = claim_block(where.first, where.second);
    if (!claimed && claimed.error().code == Code::kExhausted) continue;  // said when it matters
    outcome.add(std::move(claimed));
  }
  TRY(const auto singles, local_.list(keys::kLocalAddresses));
  for (const state::Record& record : singles) {
    TRY(const auto address, decode<LocalAddress>(record));
    outcome.add(maintain_single(std::string(keys::network_part(record.key)), address, book));
  }
  return outcome.first();
}

Status StoreAddresses::maintain_block(const std::string& network_id, LocalBlock block,
                                      LeaseBook& book, Occupancy& fill) {
  if (block.phase == ClaimPhase::kClaiming) return resolve(network_id, block).map([](bool) {});
  if (block.phase == ClaimPhase::kReleasing)
    return release_block(network_id, std::move(block), book);
  TRY(const auto used, book.leased(network_id, block.block));
  const long long now = fence_.clock().unix_time();
  if (block.empty_since > now) block.empty_since = 0;  // the clock was set back: from now on
  if (used.empty() && block.empty_since != 0 && now - block.empty_since >= kEmptyBlockSeconds)
    return release_block(network_id, std::move(block), book);
  fill.total += std::min(size_of(block.ranges), UINT64_MAX - fill.total);
  fill.used += used.size();
  if (used.empty() == (block.empty_since != 0)) return {};
  block.empty_since = used.empty() ? now : 0;
  return save(network_id, std::move(block));
}

// The local record first: a lease that was planned while the block was ours in full is not
// committed any more. Only then is "empty" a fact.
Status StoreAddresses::release_block(const std::string& network_id, LocalBlock block,
                                     LeaseBook& book) {
  block.phase = ClaimPhase::kReleasing;
  TRY_STATUS(save(network_id, block));
  fault_point("cluster.block.releasing");
  const auto base = block.block.first();
  const std::string key = keys::block(network_id, base);
  TRY(const auto record, read<BlockRecord>(shared_, key));
  if (record && record->value.host_id == fence_.host_id() && record->value.epoch == block.epoch) {
    TRY(const auto used, book.leased(network_id, block.block));
    if (!used.empty()) {
      block.phase = ClaimPhase::kHeld;
      block.empty_since = 0;
      return save(network_id, std::move(block));
    }
    TRY_STATUS(shared_
                   .commit({.preconditions = {{key, record->revision}},
                            .deletes = {key},
                            .durability = state::Durability::kDurable})
                   .map([](const auto&) {}));
  }
  fault_point("cluster.block.released");
  log::info("cluster.block.released",
            {{"network", network_id.substr(0, 12)}, {"block", block.block.to_string()}});
  return drop(keys::local_block(network_id, base));
}

// A claim without a lease: its caller died between the two, or has just not come to it.
Status StoreAddresses::maintain_single(const std::string& network_id, const LocalAddress& address,
                                       LeaseBook& book) {
  const long long age =
      fence_.clock().unix_time() - address.since;  // below 0: the clock was set back
  const bool is_releasing = address.phase == ClaimPhase::kReleasing;
  if (!is_releasing && age >= 0 && age < kUnleasedSeconds) return {};
  const unsigned bits = address.address.is_v4() ? 32 : 128;
  const auto leased_now = [&] { return book.leased(network_id, Cidr::of(address.address, bits)); };
  TRY(const auto leased, leased_now());
  if (!leased.empty())
    return is_releasing ? save(network_id, address, ClaimPhase::kHeld) : Status();
  TRY_STATUS(save(network_id, address, ClaimPhase::kReleasing));  // no lease can be committed now
  TRY(const auto leased_meanwhile, leased_now());
  if (!leased_meanwhile.empty()) return save(network_id, address, ClaimPhase::kHeld);
  return release_claim(network_id, address);
}

// Once after a start: what the shared store says is ours and the local one does not know.
Status StoreAddresses::audit() {
  for (const std::string_view prefix : {keys::kBlocks, keys::kAddresses}) {
    TRY(const auto records, shared_.list(prefix));
    for (const state::Record& record : records)
      TRY_STATUS(prefix == keys::kBlocks ? audit_block(record) : audit_claim(record));
  }
  audited_ = true;
  return {};
}

// Those of an earlier life were deleted when this host joined again: they are back with the store.
bool StoreAddresses::is_unknown_own(const std::string& host_id, std::uint64_t of,
                                    std::uint64_t epoch) {
  return host_id == fence_.host_id() &&
         (of == epoch || (of < epoch && fence_.rollback_detector().is_quarantined()));
}

// Claimed, but the journal was lost or its record was dropped as failed: nothing was given out. In
// a store that was put back it may have been given back since, and be another host's by now.
Status StoreAddresses::audit_block(const state::Record& record) {
  const auto block = decode<BlockRecord>(record);
  TRY(const auto epoch, fence_.epoch());
  if (!block || !is_unknown_own(block->host_id, block->epoch, epoch)) return {};
  const std::string network_id(keys::network_part(record.key));
  TRY(const auto base, IpAddress::from_hex(keys::last_part(record.key)));
  TRY(const auto known, local_.get(keys::local_block(network_id, base)));
  if (known) return {};
  if (fence_.rollback_detector().is_quarantined())
    return shared_
        .commit({.preconditions = {{record.key, record.revision}},
                 .deletes = {record.key},
                 .durability = state::Durability::kDurable})
        .map([](const auto&) {});
  TRY(const auto place, place_of(network_id, base.family()));
  return adopt(place, block_of(place.area, base), *block);
}

Status StoreAddresses::audit_claim(const state::Record& record) {
  const auto static_claim = decode<StaticClaimRecord>(record);
  TRY(const auto epoch, fence_.epoch());
  if (!static_claim || !is_unknown_own(static_claim->host_id, static_claim->epoch, epoch))
    return {};
  const std::string network_id(keys::network_part(record.key));
  TRY(const auto address, IpAddress::from_hex(keys::last_part(record.key)));
  TRY(const auto known, local_.get(keys::local_address(network_id, address)));
  if (known) return {};
  return release_claim(
      network_id,
      {.address = address, .endpoint_id = static_claim->endpoint_id, .epoch = static_claim->epoch});
}

}  // namespace fairlead::network::cluster
