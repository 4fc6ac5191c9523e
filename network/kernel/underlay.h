// This host's own address in the network between the hosts.
#pragma once

#include <string_view>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::kernel {

// `request` is an address, the name of an interface (its first global IPv4 address counts, else its
// first global IPv6 address), or empty: the address that packets to the rest of the world leave
// with. kNotFound says what to do. An address is taken as it is; whether this host has it is asked
// by who uses it (Tunnels::underlay_mtu). Works in the network namespace of the calling thread.
Result<IpAddress> underlay_address(std::string_view request);

}  // namespace fairlead::kernel
