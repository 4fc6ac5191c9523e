// From which subnets and ranges of a network a new endpoint gets its addresses. Pure.
#pragma once

#include <optional>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network {

// A part of one subnet, in which an address may be looked for.
struct AddressPlace {
  Cidr subnet;
  std::vector<Cidr> ranges;  // empty: all that the subnet gives out

  bool operator==(const AddressPlace&) const = default;
};

// One address of the endpoint: the wanted one, or one of the first place that has one free.
struct AddressWish {
  std::optional<IpAddress> wanted;
  std::vector<AddressPlace> places;  // one, that of the wanted address, if there is one

  bool operator==(const AddressWish&) const = default;
};

// In the order of the network's subnets, or of the sets of ranges. kInvalid when a wanted address or a
// range is in no subnet of the network, or when two sets overlap.
Result<std::vector<AddressWish>> address_wishes(const Network& network, const EndpointSpec& spec);

}  // namespace fairlead::network
