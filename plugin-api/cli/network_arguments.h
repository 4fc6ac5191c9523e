// Converts the options of `network create` into a NetworkSpec.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "network/api/types.h"
#include "plugin-api/cli/invocation.h"

namespace fairlead::cli {

// Converts "k=v" words into a map. `what` names the option in errors. With Values::kOptional, "k"
// alone is k with an empty value.
enum class Values { kRequired, kOptional };
Result<std::map<std::string, std::string>> key_values(const std::vector<std::string>& words,
                                                      std::string_view what, Values values);

// Gateways, ranges and auxiliary addresses are assigned to the subnet that contains them, as
// `docker network create` does.
Result<network::NetworkSpec> network_spec_of(const Invocation& line);

// Whether the line gives more about the network than its name and the file to read it from.
bool describes_network(const Invocation& line);

}  // namespace fairlead::cli
