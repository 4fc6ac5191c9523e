// What policies mean at present: their names looked up in the records, as addresses.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "network/nat/nat.h"
#include "network/service/policy_records.h"
#include "network/service/record_store.h"

namespace fairlead::network {

// What the meaning is read from.
struct PolicyWorld {
  std::vector<Network> networks;
  std::vector<Endpoint> endpoints;  // of this boot that are not going away
  std::map<std::string, NameRecord> names;
};

// Whether the policy's end, which is a container or a label, is this endpoint.
bool selects(const PolicyEnd& end, const Endpoint& endpoint, const std::vector<Network>& networks);
// The services that these ports mean; every one without ports.
std::vector<nat::NatService> services_of(const std::vector<PolicyPort>& ports);
// `record` and the lists of the networks with egress=deny. What names nothing at present does nothing.
std::vector<nat::NatPolicy> meaning_of(const PolicyRecord& record, const PolicyWorld& world);

}  // namespace fairlead::network
