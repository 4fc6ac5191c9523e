// What all claims of addresses work with: the two stores, the fence, the areas of the networks, and
// the journal that this host keeps of its own claims in the local store.
#pragma once

#include <string>
#include <vector>

#include "network/cluster/fence.h"

namespace fairlead::network::cluster {

// A subnet of a network, as recorded in the shared store.
struct SubnetArea {
  std::string network_id;
  std::int64_t revision = state::kAbsent;  // of the record of the network
  Subnet subnet;
  Cidr area;
};

// Keeps nothing itself, so it is as thread-safe as the stores and the fence, which must outlive it.
class ClaimContext {
 public:
  ClaimContext(state::Store& shared_store, state::Store& local_store, Fence& of_host)
      : shared(shared_store), local(local_store), fence(of_host) {}

  // From the shared store. kNotFound when the network was removed, kUnavailable while it is being
  // removed, kInvalid when it has no subnet of the family.
  Result<SubnetArea> subnet_area_of(const std::string& network_id, Family family);

  // The journal. Changes are durable when a call returns.
  Result<std::vector<Stored<LocalBlock>>> local_blocks(const std::string& network_id,
                                                       Family family);
  Status save(const std::string& network_id, LocalBlock block);
  // In this phase from now on.
  Status save(const std::string& network_id, LocalAddress address, ClaimPhase phase);
  Status drop(std::string key);

  state::Store& shared;
  state::Store& local;
  Fence& fence;
};

}  // namespace fairlead::network::cluster
