// Claims blocks and single addresses for this host in the shared store: the verbs of the
// groups (Blocks, StaticClaims, Maintenance) under the lock of claims, which is taken here alone.
//
// Why no address is given twice, in a network with blocks:
//
//   - A block is claimed by creating in/<nid>/blk/<base>: of two hosts that try, one fails. Addresses
//     of the block are given out only after that, and only by its owner, which writes the claim
//     into its journal first (cluster/block/...).
//   - A single address is claimed by creating in/<nid>/ip/<ip>, and only while nobody owns its block
//     (precondition: no blk/ key) or the block's record lists it as a hole (precondition: that
//     record is unchanged).
//   - Claims of both kinds exclude each other through pin-guard/<nid>/<base>. Each claim of a
//     single address changes it. It is a precondition of each claim of a block, which reads it
//     before it lists the single addresses that become the block's holes. So the owner of a block
//     knows every single address that was claimed before the block, and after that only holes can
//     be claimed singly.
//   - A block is given back in this order: the local record is changed, so that no lease that was
//     planned before can be committed any more; the block is seen to be empty; the shared record is
//     deleted.
//   - Claims have the preconditions of the fence, so that a host that was removed cannot make any
//     (fence.h).
//   - Nothing is claimed while the shared store may lack claims of other hosts (store_rollback.h).
//
// A request for an address in another host's block is refused: only the owner knows whether the
// address is free, and hosts do not borrow addresses from each other.
#pragma once

#include <mutex>

#include "network/cluster/blocks.h"
#include "network/cluster/claim_audit.h"
#include "network/cluster/claim_context.h"
#include "network/cluster/maintenance.h"
#include "network/cluster/restoration.h"
#include "network/cluster/static_claims.h"

namespace fairlead::network::cluster {

// The stores and the fence must outlive the object.
class StoreAddresses : public Addresses {
 public:
  StoreAddresses(state::Store& shared, state::Store& local, Fence& fence)
      : context_(shared, local, fence) {}

  Result<AddressOffer> offer(const AddressRequest& request) override;
  Status extend(const std::string& network_id, Family family) override;
  Status give_back(const std::string& network_id, const IpAddress& address) override;
  Status maintain(LeaseBook& book) override;
  Status forget(const std::string& network_id) override;
  Result<std::vector<OwnedBlock>> owned() override;

 private:
  // Allows one claim or release at a time; offers from owned blocks do not wait for it.
  std::mutex claims_;
  ClaimContext context_;
  Blocks blocks_{context_};
  StaticClaims static_claims_{context_, blocks_};
  ClaimAudit audit_{context_, blocks_, static_claims_};
  Restoration restoration_{context_, blocks_, static_claims_, audit_};
  Maintenance maintenance_{context_, {blocks_, static_claims_, audit_, restoration_}};
};

}  // namespace fairlead::network::cluster
