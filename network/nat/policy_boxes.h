// Policies as elements of maps with intervals. Policies overlap each other and elements must not: what all of
// them say together is cut into boxes that do not, each with one verdict. Deny wins.
#pragma once

#include <vector>

#include "network/nat/entries.h"
#include "network/nat/nat.h"

namespace fairlead::nat {

std::vector<Entry> entries_of(const std::vector<NatPolicy>& policies);

}  // namespace fairlead::nat
