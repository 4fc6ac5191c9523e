// Writes this host's claims again into a shared store that was put back to an earlier state.
//
// Claims are created under the preconditions of a first claim, and never overwrite those of others:
// what belongs to another host now stays with it, and is reported as a conflict. No more addresses
// are given out of a block that another host has now; containers that have an address of it keep it
// until an operator removes one of the two.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "network/cluster/blocks.h"
#include "network/cluster/claim_audit.h"
#include "network/cluster/claim_context.h"
#include "network/cluster/static_claims.h"

namespace fairlead::network::cluster {

// For one thread at a time.
class Restoration {
 public:
  Restoration(ClaimContext& context, Blocks& blocks, StaticClaims& static_claims, ClaimAudit& audit)
      : context_(context), blocks_(blocks), static_claims_(static_claims), audit_(audit) {}

  // Looks whether anything is missing, seldom while all is well, and writes it again.
  Status restore(LeaseBook& book);

 private:
  using Conflicts = std::vector<std::string>;

  Result<std::optional<SubnetArea>> subnet_area_if_ready(const std::string& network_id,
                                                         Family family);
  Status restore_blocks(LeaseBook& book, Conflicts& conflicts);
  Status restore_block(const std::string& network_id, LocalBlock block, LeaseBook& book,
                       Conflicts& conflicts);
  Status write_block(const SubnetArea& subnet_area, LocalBlock block, std::int64_t revision,
                     LeaseBook& book, Conflicts& conflicts);
  Status check_holes(const std::string& network_id, const Cidr& block,
                     const std::vector<IpAddress>& holes, LeaseBook& book, Conflicts& conflicts);
  Status write_anew(const state::Txn& txn);
  Status lose_block(const std::string& network_id, LocalBlock block, const BlockRecord& owner,
                    Conflicts& conflicts);
  Status restore_singles(Conflicts& conflicts);
  Status restore_single(const std::string& network_id, const LocalAddress& address,
                        Conflicts& conflicts);

  ClaimContext& context_;
  Blocks& blocks_;
  StaticClaims& static_claims_;
  ClaimAudit& audit_;
  // The quarantine after which all claims were written again.
  std::optional<std::uint64_t> restored_for_;
  long long looked_ = 0;  // Unix seconds of the last look at the blocks
};

}  // namespace fairlead::network::cluster
