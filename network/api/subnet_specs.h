// What a network may be asked to be: rules that hold for networks of one host and of several. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network {

// One subnet a family: those of the spec, or the default ones.
std::vector<SubnetSpec> wanted_subnets(const NetworkSpec& spec);

// kInvalid for subnets that no network can have, kUnsupported for two of one family.
Status validate_subnets(const std::vector<SubnetSpec>& subnets);

// In words, which option is another one than wanted; empty when all are the same.
std::string option_difference(const std::map<std::string, std::string>& have,
                              const std::map<std::string, std::string>& want);

}  // namespace fairlead::network
