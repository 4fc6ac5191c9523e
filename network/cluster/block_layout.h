// Divides a subnet into blocks. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network::cluster {

// The part of a subnet from which addresses are given out: its range, or the whole subnet; of an
// IPv6 area wider than /64, the first /64.
Cidr allocation_area(const Subnet& subnet);

// Areas of fewer than 1,024 addresses have no blocks: each address is claimed by itself.
bool has_blocks(const Cidr& area);

// The prefix length of a block, chosen so that there are many more blocks than hosts. A block has
// 64 addresses in areas of at least 2^14 addresses, 16 in smaller ones, and a 65,536th of an area
// of more than 2^24 (IPv6).
unsigned block_length(const Cidr& area);
std::uint64_t block_count(const Cidr& area);
Cidr block_of(const Cidr& area, const IpAddress& address);

// A block of the area whose first address is not in `taken`; std::nullopt when all are taken. The
// hash of `seed` determines where the search begins, so that different hosts try different blocks.
std::optional<Cidr> free_block(const Cidr& area, std::string_view seed,
                               const std::set<IpAddress>& taken);

// The addresses that no endpoint may have: gateway, reserved, network and broadcast addresses.
std::vector<IpAddress> reserved_addresses(const Subnet& subnet);

// The block without these addresses, as the smallest possible number of prefixes, in order.
std::vector<Cidr> without(const Cidr& block, const std::vector<IpAddress>& excluded);

}  // namespace fairlead::network::cluster
