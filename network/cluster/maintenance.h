// Claims and gives back addresses according to what this host uses.
#pragma once

#include <string>

#include "network/cluster/blocks.h"
#include "network/cluster/claim_audit.h"
#include "network/cluster/claim_context.h"
#include "network/cluster/restoration.h"
#include "network/cluster/static_claims.h"

namespace fairlead::network::cluster {

inline constexpr long long kEmptyBlockSeconds = 600;  // how long an empty block is kept
inline constexpr long long kUnleasedSeconds = 60;     // how long a single claim may have no lease
// When so many percent of the addresses in a host's blocks are in use, the next block is claimed.
inline constexpr std::uint64_t kClaimAtPercent = 80;

// For one thread at a time.
class Maintenance {
 public:
  struct With {
    Blocks& blocks;
    StaticClaims& static_claims;
    ClaimAudit& audit;
    Restoration& restoration;
  };
  Maintenance(ClaimContext& context, const With& with)
      : context_(context),
        blocks_(with.blocks),
        static_claims_(with.static_claims),
        audit_(with.audit),
        restoration_(with.restoration) {}

  // As Addresses has them.
  Status maintain(LeaseBook& book);
  Status forget(const std::string& network_id);

 private:
  struct Occupancy {
    std::uint64_t total = 0, used = 0;
  };
  Status maintain_block(const std::string& network_id, LocalBlock block, LeaseBook& book,
                        Occupancy& fill);
  Status release_block(const std::string& network_id, LocalBlock block, LeaseBook& book);
  Status maintain_single(const std::string& network_id, const LocalAddress& address,
                         LeaseBook& book);

  ClaimContext& context_;
  Blocks& blocks_;
  StaticClaims& static_claims_;
  ClaimAudit& audit_;
  Restoration& restoration_;
};

}  // namespace fairlead::network::cluster
