// How a subnet is cut into blocks. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network::cluster {

// The part of a subnet that addresses are given out of: its range, or all of it; of an IPv6 subnet
// wider than /64, the first /64.
Cidr allocation_area(const Subnet& subnet);

// Areas of fewer than 1,024 addresses have no blocks: each address is claimed by itself.
bool has_blocks(const Cidr& area);

// The prefix length of a block, so that there are many more of them than hosts: 64 addresses in
// areas of at least 2^14, 16 in smaller ones; of areas above 2^24 (IPv6) a 65,536th.
unsigned block_length(const Cidr& area);
std::uint64_t block_count(const Cidr& area);
Cidr block_of(const Cidr& area, const IpAddress& address);

// A block of the area whose first address is not in `taken`: the search begins where `seed` says,
// so that hosts do not meet, and goes round once.
std::optional<Cidr> free_block(const Cidr& area, std::string_view seed,
                               const std::set<IpAddress>& taken);

// What no endpoint may have: gateway, reserved addresses, network and broadcast address.
std::vector<IpAddress> reserved_addresses(const Subnet& subnet);

// The block without these addresses, as few prefixes as there can be, in order.
std::vector<Cidr> without(const Cidr& block, const std::vector<IpAddress>& excluded);

}  // namespace fairlead::network::cluster
