#include "network/cluster/claim_audit.h"

#include "base/log.h"
#include "network/cluster/block_layout.h"
#include "network/cluster/keys.h"

namespace fairlead::network::cluster {

Status ClaimAudit::run() {
  if (audited_) return {};
  TRY(const auto records, context_.shared.list(keys::kMembers));
  for (const state::Record& record : records) {
    const auto kind = keys::kind_of(record.key);
    const Status done = kind == keys::Kind::kBlock     ? audit_block(record)
                        : kind == keys::Kind::kAddress ? audit_claim(record)
                                                       : Status();
    if (!done && is_unreachable(done.error())) return done;
    if (!done)  // one that makes no sense must not keep the others from being looked at
      log::warn("cluster.claim.audit", {{"key", record.key}, {"error", done.error().text}});
  }
  audited_ = true;
  return {};
}

// Whether a record with epoch `of` belongs to this host, which has the epoch `epoch`. Records of
// lower epochs were deleted when this host joined again; in quarantine they may be back, because
// the store was put back.
bool ClaimAudit::is_unknown_own(const std::string& host_id, std::uint64_t of, std::uint64_t epoch) {
  return host_id == context_.fence.host_id() &&
         (of == epoch || (of < epoch && context_.fence.rollback_detector().is_quarantined()));
}

// The block was claimed, but the journal was lost, or its record was dropped because the claim
// seemed to have failed. So no address of it was given out, and it can be adopted. In a store that
// was put back, this host may have given the block back since, and another host may have it by now;
// so it is deleted.
Status ClaimAudit::audit_block(const state::Record& record) {
  const auto block = decode<BlockRecord>(record);
  TRY(const auto epoch, context_.fence.epoch());
  if (!block || !is_unknown_own(block->host_id, block->epoch, epoch)) return {};
  const std::string network_id(keys::network_part(record.key));
  const auto base = IpAddress::from_hex(keys::last_part(record.key));
  if (!base) return {};
  TRY(const auto known, context_.local.get(keys::local_block(network_id, *base)));
  if (known) return {};
  if (context_.fence.rollback_detector().is_quarantined())
    return status_of(context_.shared.commit({.preconditions = {{record.key, record.revision}},
                                             .deletes = {record.key},
                                             .durability = state::Durability::kDurable}));
  TRY(const auto subnet_area, context_.subnet_area_of(network_id, base->family()));
  const Cidr& area = subnet_area.area;
  if (!area.contains(*base) || !has_blocks(area) || block_of(area, *base).first() != *base)
    return fail(Code::kInvalid, "it is no block of {}", area.to_string());
  return blocks_.adopt(subnet_area, block_of(subnet_area.area, *base), *block);
}

Status ClaimAudit::audit_claim(const state::Record& record) {
  const auto static_claim = decode<StaticClaimRecord>(record);
  TRY(const auto epoch, context_.fence.epoch());
  if (!static_claim || !is_unknown_own(static_claim->host_id, static_claim->epoch, epoch))
    return {};
  const std::string network_id(keys::network_part(record.key));
  const auto address = IpAddress::from_hex(keys::last_part(record.key));
  if (!address) return {};
  TRY(const auto known, context_.local.get(keys::local_address(network_id, *address)));
  if (known) return {};
  return static_claims_.release(network_id, {.address = *address,
                                             .endpoint_id = static_claim->endpoint_id,
                                             .epoch = static_claim->epoch});
}

}  // namespace fairlead::network::cluster
