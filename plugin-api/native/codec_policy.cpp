#include "plugin-api/native/forms.h"

namespace fairlead::native {

using json::defaulted;
using json::fields;
using json::Json;
using json::object;
using json::required;
using json::Slot;
using json::sparse;
using json::text;
using network::Policy;
using network::PolicySpec;

namespace {

constexpr auto kSpec =
    fields(required<&PolicySpec::action>("action", text<&network::parse_policy_action>()),
           required<&PolicySpec::from>("from", text<&network::parse_policy_end>()),
           required<&PolicySpec::to>("to", text<&network::parse_policy_end>()),
           sparse<&PolicySpec::ports>("ports", text<&network::parse_policy_port>()),
           json::ignored<PolicySpec>("state"));

constexpr auto kState =
    fields(required<&Policy::id>("id"), required<&Policy::created>("created", kTime),
           sparse<&Policy::addresses>("addresses"));

struct Labels {
  Texts labels;
};
constexpr auto kLabels = fields(required<&Labels::labels>("labels", kTexts));

}  // namespace

Document encode_policy_spec(const PolicySpec& spec) { return json::write(spec, kSpec); }

Result<PolicySpec> decode_policy_spec(const Json& document) {
  return json::read(document, kSpec, kStrict);
}

Document encode_policy(const Policy& policy) {
  Document document = encode_policy_spec(policy.spec);
  document.add("state", json::write(policy, kState));
  return document;
}

Result<Policy> decode_policy(const Json& document) {
  const Slot slot(document, kLenient);
  Policy policy;
  TRY_STATUS(json::read_into(slot, kSpec, policy.spec));
  const Json* found = slot.find("state");
  const Slot state = slot.member("state", found);
  if (found == nullptr) return state.missing();
  TRY_STATUS(json::read_into(state, kState, policy));
  return policy;
}

Document encode_labels(const Texts& labels) { return json::write(Labels{labels}, kLabels); }

Result<Texts> decode_labels(const Json& document) {
  TRY(auto request, json::read(document, kLabels, kStrict));
  return std::move(request.labels);
}

std::vector<DocumentTable> policy_tables() {
  return {
      {"PolicySpec", kSpec.rows}, {"PolicyState", kState.rows}, {"LabelsRequest", kLabels.rows}};
}

}  // namespace fairlead::native
