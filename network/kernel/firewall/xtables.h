// The tables of iptables-legacy. nf_tables does not know of them, and the kernel tells nobody when
// they change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ip.h"

namespace fairlead::kernel {

// A number that changes with the rules of the table "filter" and not with their counters;
// std::nullopt when there is no such table. Asks the kernel for the table only when it exists, since
// asking would make one. In the network namespace of the calling thread.
std::optional<std::uint64_t> xtables_digest(Family family);

// Whether the rules of iptables-legacy hold a table "filter".
bool has_xtables_filter(Family family);

}  // namespace fairlead::kernel
