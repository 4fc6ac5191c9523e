// Arithmetic on keys of sets with intervals.
#pragma once

#include <optional>

#include "network/kernel/firewall/firewall.h"

namespace fairlead::kernel {

// The keys after and before this one, as numbers in network order; std::nullopt at the end of the
// range.
std::optional<ElementBytes> next_key(const ElementBytes& key);
std::optional<ElementBytes> previous_key(const ElementBytes& key);

}  // namespace fairlead::kernel
