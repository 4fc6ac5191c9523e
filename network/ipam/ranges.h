// Which addresses of a pool may be given out, and in which order they are tried. Pure.
#pragma once

#include <optional>
#include <vector>

#include "base/ip.h"

namespace fairlead::network {

// From first to last, both included; first <= last.
struct AddressRange {
  IpAddress first, last;

  bool contains(const IpAddress& address) const { return first <= address && address <= last; }
  bool operator==(const AddressRange&) const = default;
};

// The addresses that an interface may have: without the network and broadcast address of an IPv4
// subnet (but both of a /31, RFC 3021, and the one of a /32) and without the subnet-router anycast
// address of an IPv6 one (RFC 4291 section 2.6.1; but both of a /127, RFC 6164).
AddressRange usable(const Cidr& subnet);

// The usable addresses inside `ranges`, as given; all of them when there are no ranges. kInvalid
// when a range is not inside the subnet or holds no usable address.
Result<std::vector<AddressRange>> usable_ranges(const Cidr& subnet,
                                                const std::vector<Cidr>& ranges);

// The pieces to search, in order, so that the search begins `steps` addresses behind `last`, goes
// round once and ends there. Nothing, or an address outside all ranges: from the beginning.
std::vector<AddressRange> search_order(const std::vector<AddressRange>& ranges,
                                       const std::optional<IpAddress>& last, std::uint64_t steps);

}  // namespace fairlead::network
