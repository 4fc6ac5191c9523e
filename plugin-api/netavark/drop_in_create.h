// What netavark 2 does of `podman network create`: it completes and checks a network of Podman's own, which
// Podman then writes to its file. Pure; nothing is made before the first container comes.
#pragma once

#include <span>

#include "plugin-api/netavark/codec.h"

namespace fairlead::netavark {

// The network with its interface, subnets, gateways and options filled in. `occupied`: subnets of the host
// and of Fairlead's networks, beside those that Podman names. kExists ("network already exists", which
// Podman looks for) for a name that is taken; kInvalid and kUnsupported for what cannot be made.
Result<json::Json> complete(const Creation& creation, std::span<const Cidr> occupied);

}  // namespace fairlead::netavark
