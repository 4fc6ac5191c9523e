// Choosing a subnet that nobody uses. Pure.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/ip.h"

namespace fairlead::network {

// The first subnet of that size inside `base` that overlaps none of `taken`.
std::optional<Cidr> first_free_subnet(const Cidr& base, unsigned prefix_length,
                                      std::span<const Cidr> taken);

// The host's own /48 for local use: fd00::/8 and 40 bits out of `seed` (RFC 4193 section 3.2).
Cidr ula_prefix(std::string_view seed);

// IPv4: a /24 (or the size asked for) of 10.208.0.0/12, then of 172.24.0.0/13: out of the way of
// Docker's default pools, Podman's and the usual private networks. IPv6: a /64 of the host's /48.
// kInvalid when no such size can be had, kExhausted when nothing is free.
Result<Cidr> choose_subnet(Family family, std::optional<unsigned> prefix_length,
                           std::string_view ula_seed, std::span<const Cidr> taken);

}  // namespace fairlead::network
