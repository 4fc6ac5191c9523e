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

// Ranges of one family, of which one address is given out; never empty.
using AddressRangeSet = std::vector<AddressRange>;

// host-local's [[{...}],[{...}]]: sets of ranges, of which each gives one address. kInvalid: a set of two
// families.
Result<std::vector<AddressRangeSet>> decode_range_sets(const json::Slot& slot);
inline constexpr auto kRangeSets = json::custom<&decode_range_sets>();

// The subnets of the sets, each once, in their order. Several ranges of one subnet leave its `range`
// open. kInvalid: two gateways of one subnet.
Result<std::vector<network::SubnetSpec>> subnets_of(const std::vector<AddressRangeSet>& sets);

// Whether an endpoint without wishes in a network of these subnets gets just what the sets of the family
// say: there is at most one, and the range of the subnet holds all that it leaves out.
bool is_plain(const std::vector<AddressRangeSet>& sets, Family family);

// The ranges of the set as prefixes. Of a whole subnet the first and the last address are left out, as
// host-local does, unless it is one of `subnets`, those of the network, which leaves them out itself.
network::RangeSet prefixes_of(const AddressRangeSet& set,
                              const std::vector<network::SubnetSpec>& subnets);

}  // namespace fairlead::cni
