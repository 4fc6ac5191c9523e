// All rules of nftables of this host, whoever made them.
#pragma once

#include <string>

#include "base/result.h"

namespace fairlead::kernel {

struct RulesetListing {
  std::string json;  // as `nft -j list ruleset`
  std::string text;  // as `nft -a list ruleset`: with the handles of rules
};

// Of the network namespace of the calling thread. The two are read one after the other, and may differ where
// somebody changes the rules meanwhile. kUnsupported without libnftables.
Result<RulesetListing> list_ruleset();

}  // namespace fairlead::kernel
