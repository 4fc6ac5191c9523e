// Ports as people write them, which is how `docker run -p` takes them. Pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "network/api/types.h"

namespace fairlead::cli {

// "[[IP:]HOST[-END]:]CONTAINER[-END][/PROTOCOL]", an IPv6 address in brackets. Without HOST a port of
// the host is chosen. A range of the host to one port of the container: one of them is chosen; to a
// range of the same length: each to its own.
Result<std::vector<network::PortSpec>> parse_mapping(std::string_view text);

// "[IP:]HOST[-END][/PROTOCOL]", or a mapping with HOST, of which the container's part does not
// count.
Result<network::PortChoice> parse_choice(std::string_view text);

}  // namespace fairlead::cli
