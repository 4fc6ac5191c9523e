// Processes that were given a mark in their environment: how a command in a container is ended,
// which no runtime offers.
#pragma once

#include <cstddef>
#include <string>

namespace fairlead::hooks {

// Kills each process of this host that has `variable` with that value in its environment, and
// returns how many these were. The value must be a secret of whoever was given it: what knows it can
// only make itself a target.
std::size_t kill_marked(const std::string& variable, const std::string& value);

}  // namespace fairlead::hooks
