// Rules for the specs of networks, which are the same for networks on one host and on several. Pure
// functions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network {

// The subnets of the spec, or the default ones. A network whose addresses come from another program may
// have none: it is a wire for its containers, and the host has no address on it.
std::vector<SubnetSpec> wanted_subnets(const NetworkSpec& spec);

// kInvalid for subnets that no network can have, and for two of one family that overlap or of which
// one is to be chosen.
Status validate_subnets(const std::vector<SubnetSpec>& subnets);

// Options that only ask for families (enable_ipv6) become `ipv6` and `subnets` of the spec. kInvalid
// where they and the rest of the spec contradict each other.
Status settle_families(NetworkSpec& spec);

// kInvalid for options that do not fit together, whatever the driver.
Status validate_options(const NetworkSpec& spec);
// kUnsupported, with the reason, for two subnets of one family.
Status refuse_several_subnets(const std::vector<SubnetSpec>& subnets, std::string_view reason);

// The gateway of a network that names none: the first address that an interface may have.
IpAddress default_gateway(const Cidr& subnet);

// kInvalid when one of the subnets of that family has one address only, so that its gateway has to be
// outside of it. `hint`: what else the user can do.
Status refuse_single_addresses(const std::vector<SubnetSpec>& subnets, Family family,
                               std::string_view hint);
// Where the host is the gateway of single addresses, each on a link of its own: 169.254.1.1, fe80::1.
IpAddress link_gateway(Family family);

// A text for people that says which option differs from the wanted one; empty when all are the
// same.
std::string option_difference(const std::map<std::string, std::string>& have,
                              const std::map<std::string, std::string>& want);

}  // namespace fairlead::network
