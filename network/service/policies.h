// The verbs of policies.
#pragma once

#include <string>
#include <vector>

#include "network/service/policy_names.h"
#include "network/service/service_context.h"

namespace fairlead::network {

// Thread-safe.
class Policies {
 public:
  Policies(ServiceContext& context, PolicyNames& names) : context_(context), names_(names) {}

  Result<Policy> add_policy(const PolicySpec& spec, bool dry_run);
  Result<std::vector<Policy>> list_policies();
  Result<Policy> inspect_policy(const std::string& id);
  Status remove_policy(const std::string& id);
  Status set_endpoint_labels(const EndpointRef& endpoint,
                             const std::map<std::string, std::string>& labels);

 private:
  Status write(const PolicyRecord& record, std::int64_t revision);

  Result<Policy> add(const PolicySpec& asked, bool dry_run);
  Status show_addresses(std::vector<Policy>& policies);

  ServiceContext& context_;
  PolicyNames& names_;
};

}  // namespace fairlead::network
