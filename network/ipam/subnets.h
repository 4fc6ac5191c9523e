// Chooses a subnet that nobody uses. Pure functions.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/ip.h"

namespace fairlead::network {

// The first subnet of that size inside `base` that overlaps none of `taken`.
std::optional<Cidr> first_free_subnet(const Cidr& base, unsigned prefix_length,
                                      std::span<const Cidr> taken);

// A /48 for local use: fd00::/8 and a global id of 40 bits out of `seed` (RFC 4193 section 3.2).
Cidr ula_prefix(std::string_view seed);

// IPv4: a /24 (or a subnet of the requested size) of 10.208.0.0/12, or else of 172.24.0.0/13, which
// avoid Docker's and Podman's default pools and the usual private networks. IPv6: a /64 of
// `own`, the host's /48. kInvalid when a subnet of that size cannot be chosen, kExhausted when none is free.
Result<Cidr> choose_subnet(Family family, std::optional<unsigned> prefix_length, const Cidr& own,
                           std::span<const Cidr> taken);

}  // namespace fairlead::network
