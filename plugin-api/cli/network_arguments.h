// The options of `network create` as a NetworkSpec.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "network/api/types.h"
#include "plugin-api/cli/invocation.h"

namespace fairlead::cli {

// "k=v" to a map. `what` names the option in errors. Values::kOptional: "k" alone is k with an
// empty value.
enum class Values { kRequired, kOptional };
Result<std::map<std::string, std::string>> key_values(const std::vector<std::string>& words,
                                                      std::string_view what, Values values);

// Gateways, ranges and auxiliary addresses go to the subnet that contains them, as with `docker
// network create`.
Result<network::NetworkSpec> network_spec_of(const Invocation& line);

// True when the line says more about the network than its name and where to read it from.
bool describes_network(const Invocation& line);

}  // namespace fairlead::cli
