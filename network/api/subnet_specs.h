// Rules for the specs of networks, which are the same for networks on one host and on several. Pure
// functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network {

// At most one subnet of each family: the subnets of the spec, or the default ones.
std::vector<SubnetSpec> wanted_subnets(const NetworkSpec& spec);

// kInvalid for subnets that no network can have, kUnsupported for two of one family.
Status validate_subnets(const std::vector<SubnetSpec>& subnets);

// Options that only ask for families (enable_ipv6) become `ipv6` and `subnets` of the spec. kInvalid
// where they and the rest of the spec contradict each other.
Status settle_families(NetworkSpec& spec);

// kInvalid for options that do not fit together, whatever the driver.
Status validate_options(const NetworkSpec& spec);

// A text for people that says which option differs from the wanted one; empty when all are the
// same.
std::string option_difference(const std::map<std::string, std::string>& have,
                              const std::map<std::string, std::string>& want);

}  // namespace fairlead::network
