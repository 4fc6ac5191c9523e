// Claims single addresses: the addresses of small subnets, and addresses that were asked for.
#pragma once

#include <string>

#include "network/cluster/blocks.h"
#include "network/cluster/claim_context.h"

namespace fairlead::network::cluster {

// For one thread at a time.
class StaticClaims {
 public:
  StaticClaims(ClaimContext& context, Blocks& blocks) : context_(context), blocks_(blocks) {}

  // Claims this address. When it is in a block that turns out to be this host's, it is offered out
  // of the block. kExists when it is taken, reserved or in another host's block.
  Result<AddressOffer> claim(const SubnetArea& subnet_area, const AddressRequest& request,
                             const IpAddress& address);
  // Claims a free address of a subnet without blocks. kExhausted when none is free.
  Result<AddressOffer> claim_any(const SubnetArea& subnet_area, const AddressRequest& request);
  // Adds the precondition and put that make the claim of a single address and that of its block
  // exclude each other (addresses.h). kExists when the address is another host's to give out.
  Status guard(const SubnetArea& subnet_area, const IpAddress& address, state::Txn& txn);

  // As Addresses has it.
  Status give_back(const std::string& network_id, const IpAddress& address);
  // Deletes the claim in the shared store, if it is this one, and then in the journal.
  Status release(const std::string& network_id, const LocalAddress& address);

 private:
  Result<bool> try_claim(const SubnetArea& subnet_area, const AddressRequest& request,
                         const IpAddress& address);

  ClaimContext& context_;
  Blocks& blocks_;
};

}  // namespace fairlead::network::cluster
