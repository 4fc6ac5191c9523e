// What a plugin asks the core for, as JSON for golden files and comparisons: without what is not said. And what a core in
// memory makes up for it.
#pragma once

#include "base/json/json.h"
#include "network/api/service.h"

namespace fairlead::testing {

// An array of to_string() of each.
template <class List>
json::Json texts(const List& list) {
  json::Json array = json::Json::array();
  for (const auto& element : list) array.push_back(element.to_string());
  return array;
}

json::Json describe(const network::NetworkSpec& spec);
json::Json describe(const network::EndpointSpec& spec);
json::Json describe(const network::EndpointRef& ref);
json::Json describe(const network::PortSpec& port);
json::Json describe(const network::Route& route);
json::Json describe(const network::Expectation& expected);

// The subnet that was asked for, or 10.208.0.0/24 and fd00:208::/64.
network::Subnet make_subnet(const network::SubnetSpec& spec);
// The address of the subnet that was asked for, or its second.
Cidr address_in(const network::Subnet& subnet, const network::EndpointSpec& spec);

}  // namespace fairlead::testing
