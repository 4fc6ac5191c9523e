// Looks for blocks and addresses that belong to this host according to the shared store, but are
// not in the journal.
#pragma once

#include <string>

#include "network/cluster/blocks.h"
#include "network/cluster/claim_context.h"
#include "network/cluster/static_claims.h"

namespace fairlead::network::cluster {

// For one thread at a time.
class ClaimAudit {
 public:
  ClaimAudit(ClaimContext& context, Blocks& blocks, StaticClaims& static_claims)
      : context_(context), blocks_(blocks), static_claims_(static_claims) {}

  // To be called regularly. Does nothing once it has succeeded, until repeat() is called.
  Status run();
  void repeat() { audited_ = false; }  // to be called when a quarantine has begun

 private:
  bool is_unknown_own(const std::string& host_id, std::uint64_t of, std::uint64_t epoch);
  Status audit_block(const state::Record& record);
  Status audit_claim(const state::Record& record);

  ClaimContext& context_;
  Blocks& blocks_;
  StaticClaims& static_claims_;
  bool audited_ = false;
};

}  // namespace fairlead::network::cluster
