// This host's own address in the underlay, the network between the hosts.
#pragma once

#include <string_view>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::kernel {

// `request` is an address, the name of an interface (its first global IPv4 address counts, else its
// first global IPv6 address), or empty for the address from which packets leave by the default
// route. The text of kNotFound says what the user can do. An address is returned as it is; the
// caller has to check that this host has it (Tunnels::underlay_mtu). Works in the network namespace
// of the calling thread.
Result<IpAddress> underlay_address(std::string_view request);

}  // namespace fairlead::kernel
