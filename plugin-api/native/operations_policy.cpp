// Verbs for policies, and for the labels by which they select endpoints.
#include <algorithm>

#include "plugin-api/native/operations.h"

namespace fairlead::native {

Result<Answer> list_policies(const Core& core, const Call&) {
  TRY(const auto policies, core.networks.list_policies());
  Document list = Document::array();
  for (const network::Policy& policy : policies) list.push_back(encode_policy(policy));
  return Answer{kOk, {{"policies", std::move(list)}}};
}

// 200 where the policy was there already, and where nothing was to be changed.
Result<Answer> add_policy(const Core& core, const Call& call) {
  TRY(const auto spec, decode_policy_spec(call.body));
  TRY(const bool dry_run, is_set(call, "dry_run"));
  TRY(const auto before, core.networks.list_policies());
  TRY(const auto policy, core.networks.add_policy(spec, dry_run));
  const bool existed = std::ranges::find(before, policy.id, &network::Policy::id) != before.end();
  return Answer{created_or_ok(existed || dry_run), encode_policy(policy)};
}

Result<Answer> get_policy(const Core& core, const Call& call) {
  TRY(const auto policy, core.networks.inspect_policy(call.params[0]));
  return Answer{kOk, encode_policy(policy)};
}

Result<Answer> delete_policy(const Core& core, const Call& call) {
  TRY_STATUS(core.networks.remove_policy(call.params[0]));
  return Answer{kNoContent, {}};
}

Result<Answer> set_endpoint_labels(const Core& core, const Call& call) {
  TRY(const auto labels, decode_labels(call.body));
  TRY_STATUS(core.networks.set_endpoint_labels(
      {network::NetworkText{call.params[0]}, call.params[1]}, labels));
  return Answer{kNoContent, {}};
}

}  // namespace fairlead::native
