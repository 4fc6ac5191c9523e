// Ranges of addresses as host-local writes them (rangeStart, rangeEnd), in terms of prefixes.
#pragma once

#include <optional>
#include <vector>

#include "base/ip.h"
#include "base/json/fields.h"
#include "network/api/types.h"

namespace fairlead::cni {

// One {"subnet","rangeStart","rangeEnd","gateway"}.
struct AddressRange {
  network::SubnetSpec subnet;  // `range`: the smallest prefix that holds all of the range, if
                               // smaller than the subnet
  std::vector<Cidr> exact;     // the range itself as prefixes; empty: all of the subnet
};

// kInvalid: no subnet, an end outside the subnet, an end before the start. Also takes "range": a
// prefix.
Result<AddressRange> decode_range(const json::Slot& slot);

// host-local's [[{...}],[{...}]]: sets of ranges, of which each set gives one address. All in one
// list.
Result<std::vector<AddressRange>> decode_range_sets(const json::Slot& slot);
inline constexpr auto kRangeSets = json::custom<&decode_range_sets>();

// One subnet for each family. Two ranges of one subnet become one with both; two subnets of one
// family are kInvalid (an endpoint has at most one address of each family).
Result<std::vector<AddressRange>> merge_ranges(const std::vector<AddressRange>& ranges);

// The fewest prefixes that hold exactly `first` to `last` (first <= last, one family), in order.
std::vector<Cidr> prefixes_between(const IpAddress& first, const IpAddress& last);

}  // namespace fairlead::cni
