// What a policy may say: names of something that exists, and nothing that the firewall could not keep.
#pragma once

#include "network/service/policy_state.h"
#include "network/service/service_context.h"

namespace fairlead::network {

// The policy with bare names looked up, and networks by their names. kNotFound when there is nothing of that
// name, kInvalid when it is two things.
Result<PolicySpec> looked_up(const PolicySpec& spec, const PolicyWorld& world);
// kUnsupported and kInvalid say why no firewall could keep it, and what to use instead.
Status check(const PolicySpec& spec, const PolicyWorld& world, ServiceContext& context);

// What people should know of their policies at present, in words.
struct PolicyRemarks {
  std::vector<std::string> problems;  // what does not hold as it is written
  std::vector<std::string> notes;     // what means less than it says
};
PolicyRemarks remarks_on(const PolicyRecord& record, const PolicyWorld& world);

}  // namespace fairlead::network
