// Claims and gives back addresses according to what this host uses.
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

// `percent` of `total`, rounded up. Does not overflow.
std::uint64_t part_of(std::uint64_t total, std::uint64_t percent) {
  return total / 100 * percent + (total % 100 * percent + 99) / 100;
}

// Keeps the first of several errors.
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
    // An allocation that needs a block reports it.
    if (!claimed && claimed.error().code == Code::kExhausted) continue;
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
  if (block.phase == ClaimPhase::kClaiming) return status_of(resolve(network_id, block));
  if (block.phase == ClaimPhase::kReleasing)
    return release_block(network_id, std::move(block), book);
  TRY(const auto used, book.leased(network_id, block.block));
  const long long now = fence_.clock().unix_time();
  if (block.empty_since > now) block.empty_since = 0;  // the clock was set back: count from now on
  if (used.empty() && block.empty_since != 0 && now - block.empty_since >= kEmptyBlockSeconds)
    return release_block(network_id, std::move(block), book);
  fill.total += std::min(size_of(block.ranges), UINT64_MAX - fill.total);
  fill.used += used.size();
  if (used.empty() == (block.empty_since != 0)) return {};
  block.empty_since = used.empty() ? now : 0;
  return save(network_id, std::move(block));
}

// The local record is changed first, after which no lease can be committed that was planned while
// the block was held. Only then does it count that the block has no leases.
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
    TRY_STATUS(shared_.commit({.preconditions = {{key, record->revision}},
                               .deletes = {key},
                               .durability = state::Durability::kDurable}));
  }
  fault_point("cluster.block.released");
  log::info("cluster.block.released",
            {{"network", network_id.substr(0, 12)}, {"block", block.block.to_string()}});
  return drop(keys::local_block(network_id, base));
}

// Gives back a claim without a lease, whose caller died before it made the lease. A caller that is
// still running has kUnleasedSeconds to make it.
Status StoreAddresses::maintain_single(const std::string& network_id, const LocalAddress& address,
                                       LeaseBook& book) {
  const long long age =
      fence_.clock().unix_time() - address.since;  // negative when the clock was set back
  const bool is_releasing = address.phase == ClaimPhase::kReleasing;
  if (!is_releasing && age >= 0 && age < kUnleasedSeconds) return {};
  const unsigned bits = address.address.is_v4() ? 32 : 128;
  const auto leased_now = [&] { return book.leased(network_id, Cidr::of(address.address, bits)); };
  TRY(const auto leased, leased_now());
  if (!leased.empty())
    return is_releasing ? save(network_id, address, ClaimPhase::kHeld) : Status();
  // From now on no lease can be committed.
  TRY_STATUS(save(network_id, address, ClaimPhase::kReleasing));
  TRY(const auto leased_meanwhile, leased_now());
  if (!leased_meanwhile.empty()) return save(network_id, address, ClaimPhase::kHeld);
  return release_claim(network_id, address);
}

// Runs once after a start and after a quarantine has begun. Looks for blocks and addresses that
// belong to this host according to the shared store, but are not in the journal.
Status StoreAddresses::audit() {
  for (const std::string_view prefix : {keys::kBlocks, keys::kAddresses}) {
    TRY(const auto records, shared_.list(prefix));
    for (const state::Record& record : records)
      TRY_STATUS(prefix == keys::kBlocks ? audit_block(record) : audit_claim(record));
  }
  audited_ = true;
  return {};
}

// Whether a record with epoch `of` belongs to this host, which has the epoch `epoch`. Records of
// lower epochs were deleted when this host joined again; in quarantine they may be back, because
// the store was put back.
bool StoreAddresses::is_unknown_own(const std::string& host_id, std::uint64_t of,
                                    std::uint64_t epoch) {
  return host_id == fence_.host_id() &&
         (of == epoch || (of < epoch && fence_.rollback_detector().is_quarantined()));
}

// The block was claimed, but the journal was lost, or its record was dropped because the claim
// seemed to have failed. So no address of it was given out, and it can be adopted. In a store that
// was put back, this host may have given the block back since, and another host may have it by now;
// so it is deleted.
Status StoreAddresses::audit_block(const state::Record& record) {
  const auto block = decode<BlockRecord>(record);
  TRY(const auto epoch, fence_.epoch());
  if (!block || !is_unknown_own(block->host_id, block->epoch, epoch)) return {};
  const std::string network_id(keys::network_part(record.key));
  TRY(const auto base, IpAddress::from_hex(keys::last_part(record.key)));
  TRY(const auto known, local_.get(keys::local_block(network_id, base)));
  if (known) return {};
  if (fence_.rollback_detector().is_quarantined())
    return status_of(shared_.commit({.preconditions = {{record.key, record.revision}},
                                     .deletes = {record.key},
                                     .durability = state::Durability::kDurable}));
  TRY(const auto subnet_area, subnet_area_of(network_id, base.family()));
  return adopt(subnet_area, block_of(subnet_area.area, base), *block);
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
