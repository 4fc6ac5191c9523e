// Networks that a runtime's configuration makes, and that nobody says are no longer wanted.
#pragma once

#include <string>

#include "network/api/types.h"

namespace fairlead::network {

// A label: whose configuration makes the network anew each time that it is needed ("cni"). When that
// configuration has changed, create_network() replaces the network as long as nobody uses it.
inline constexpr const char* kMadeByLabel = "fairlead.made-by";

// Whether both come from configurations of the same kind.
inline bool same_maker(const Network& network, const NetworkSpec& spec) {
  const auto made = network.labels.find(kMadeByLabel);
  const auto asked = spec.labels.find(kMadeByLabel);
  return made != network.labels.end() && asked != spec.labels.end() &&
         made->second == asked->second;
}

}  // namespace fairlead::network
