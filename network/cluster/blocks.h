// Claims blocks, and offers addresses out of those that this host owns.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "network/cluster/claim_context.h"

namespace fairlead::network::cluster {

// For one thread at a time, except offer_owned() and owned().
class Blocks {
 public:
  explicit Blocks(ClaimContext& context) : context_(context) {}

  // Answers from the blocks that this host owns according to the local store, without the shared
  // store. With neither ranges nor an exact address when there is no such block.
  Result<AddressOffer> offer_owned(const AddressRequest& request);
  Result<std::vector<OwnedBlock>> owned();

  // Claims a block that has an address to give out. kExhausted when no block is free; kUnavailable
  // in quarantine, and when too many hosts claim at once.
  Status claim(const std::string& network_id, Family family);
  // Resolves all claims of blocks in the journal that have an unknown outcome.
  Status resolve_claims(const std::string& network_id, Family family);
  // Finds out from the shared store whether a claim with an unknown outcome was committed, and
  // journals it. Returns whether this host owns the block.
  Result<bool> resolve(const std::string& network_id, const LocalBlock& block);
  // Records a block in the journal that belongs to this host according to the shared store.
  Status adopt(const SubnetArea& subnet_area, const Cidr& block, const BlockRecord& record);
  // The single addresses claimed inside the block.
  Result<std::vector<IpAddress>> static_claims_in(const std::string& network_id, const Cidr& block);

 private:
  Result<std::set<IpAddress>> taken_blocks(const SubnetArea& subnet_area);
  Result<bool> try_claim(const SubnetArea& subnet_area, const Cidr& block);

  ClaimContext& context_;
};

}  // namespace fairlead::network::cluster
