// Which addresses of a pool may be given out, and in which order they are tried. Pure.
#pragma once

#include <optional>
#include <vector>

#include "base/ip.h"

namespace fairlead::network {

// The addresses from first to last, both included; first <= last.
struct AddressRange {
  IpAddress first, last;

  bool contains(const IpAddress& address) const { return first <= address && address <= last; }
  bool operator==(const AddressRange&) const = default;
};

// The addresses that an interface may have. In an IPv4 subnet the network and broadcast addresses
// are left out, but a /31 has both of its addresses (RFC 3021), and a /32 its only one. In an IPv6
// subnet the subnet-router anycast address is left out (RFC 4291 section 2.6.1), but a /127 has
// both of its addresses (RFC 6164).
AddressRange usable(const Cidr& subnet);

// The usable addresses inside `ranges`, in the order of the ranges; all usable addresses when there
// are no ranges. kInvalid when a range is not inside the subnet or contains no usable address.
Result<std::vector<AddressRange>> usable_ranges(const Cidr& subnet,
                                                const std::vector<Cidr>& ranges);

// The ranges to search, in order. The search begins `steps` addresses after `last`, and covers
// every range once. It begins with the first range when `last` is std::nullopt or outside all
// ranges.
std::vector<AddressRange> search_order(const std::vector<AddressRange>& ranges,
                                       const std::optional<IpAddress>& last, std::uint64_t steps);

}  // namespace fairlead::network
