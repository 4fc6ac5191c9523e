// Which ports of endpoints have no claim, so that another endpoint may publish them as well.
#pragma once

#include <vector>

#include "base/state/store.h"
#include "network/api/types.h"

namespace fairlead::network {

struct LostClaim {
  std::string network_id, endpoint_id;
  PublishedPort port;
};

// Of the endpoints that are ready in this boot. `claims` are the records below keys::kPorts and keys::kPortRanges. An endpoint
// and its claims are committed together, so what is lacking was taken away by somebody else. Pure.
Result<std::vector<LostClaim>> lost_claims(const std::vector<state::Record>& claims,
                                           const std::vector<Endpoint>& endpoints,
                                           const std::string& boot_id);

}  // namespace fairlead::network
