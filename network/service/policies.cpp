#include "network/service/policies.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "network/nat/nat.h"
#include "network/service/keys.h"
#include "network/service/policy_checks.h"
#include "network/service/policy_state.h"

namespace fairlead::network {

namespace {

constexpr std::size_t kMostPolicies = 1000;
// More elements than this are no policies that somebody has written, but a product of sets.
constexpr std::size_t kMostElements = 50'000;

Status check_size(const PolicyRecord& record, const PolicyWorld& world) {
  if (record.policies.size() > kMostPolicies)
    return fail(Code::kExhausted, "there are {} policies already; `fairlead policy ls` shows them",
                kMostPolicies);
  const nat::NatState state{.policies = meaning_of(record, world)};
  const std::size_t elements = nat::elements_of(state).size();
  if (elements <= kMostElements) return {};
  return fail(Code::kExhausted,
              "all policies together would be {} elements of the firewall, and {} is the most",
              elements, kMostElements);
}

}  // namespace

Status Policies::write(const PolicyRecord& record, std::int64_t revision) {
  return context_.commit({.preconditions = {{std::string(keys::kPolicies), revision}},
                          .puts = {{std::string(keys::kPolicies), encode(record)}},
                          .durability = state::Durability::kDurable});
}

// The elements are written also when the policy is there already: a process that made it may have been killed
// before it wrote them.
Result<Policy> Policies::add(const PolicySpec& asked, bool dry_run) {
  TRY(const auto guard, context_.firewall.lock_policies());
  TRY(auto stored, context_.records.policies());
  TRY(const auto world, context_.firewall.policy_world());
  TRY(const PolicySpec spec, looked_up(asked, world));
  TRY_STATUS(check(spec, world, context_));
  const auto present = std::ranges::find(stored.value.policies, spec, &Policy::spec);
  if (present != stored.value.policies.end()) {
    if (!dry_run) TRY_STATUS(context_.firewall.write_policies());
    return *present;
  }
  Policy policy{.id = dry_run ? "" : std::to_string(stored.value.next++),
                .spec = spec,
                .created = context_.parts.unix_time()};
  stored.value.policies.push_back(policy);
  TRY_STATUS(check_size(stored.value, world));
  if (dry_run) return policy;
  TRY_STATUS(write(stored.value, stored.revision));
  fault_point("policy.add.committed");
  TRY_STATUS(context_.firewall.write_policies());
  fault_point("policy.add.written");
  return policy;
}

// A name is asked for behind the lock, so that nobody waits for its servers but who has named it.
Result<Policy> Policies::add_policy(const PolicySpec& asked, bool dry_run) {
  const std::string what = fmt::format("{} {} to {}", to_string(asked.action),
                                       to_string(asked.from), to_string(asked.to));
  auto added = add(asked, dry_run);
  if (!added) return fail(with_context(added.error(), what));
  if (dry_run) return added;
  log::info("policy added", {{"id", added->id}, {"policy", what}});
  if (added->spec.to.kind != PolicyEnd::Kind::kName) return added;
  if (const auto asked_for = names_.refresh(); !asked_for)
    log::warn("ask for the names of policies", {{"error", asked_for.error().text}});
  return inspect_policy(added->id);
}

// Those that are open, or closed.
Status Policies::show_addresses(std::vector<Policy>& policies) {
  TRY(const auto names, context_.records.policy_names());
  for (Policy& policy : policies) {
    const auto name = names.find(policy.spec.to.name);
    if (policy.spec.to.kind != PolicyEnd::Kind::kName || name == names.end()) continue;
    for (const NameAddress& each : name->second.addresses)
      if (policy.spec.action == PolicyAction::kDeny || is_of_the_internet(each.address))
        policy.addresses.push_back(each.address);
    std::ranges::sort(policy.addresses);
  }
  return {};
}

Result<std::vector<Policy>> Policies::list_policies() {
  TRY(auto stored, context_.records.policies());
  TRY_STATUS(show_addresses(stored.value.policies));
  return std::move(stored.value.policies);
}

Result<Policy> Policies::inspect_policy(const std::string& id) {
  TRY(const auto policies, list_policies());
  const auto policy = std::ranges::find(policies, id, &Policy::id);
  if (policy != policies.end()) return *policy;
  return fail(Code::kNotFound, "policy {} does not exist; `fairlead policy ls` shows those that do",
              id.substr(0, 64));
}

// As add_policy(): what a killed process has left is taken away also when the record is gone.
Status Policies::remove_policy(const std::string& id) {
  TRY(const auto guard, context_.firewall.lock_policies());
  TRY(auto stored, context_.records.policies());
  const auto policy = std::ranges::find(stored.value.policies, id, &Policy::id);
  if (policy == stored.value.policies.end()) {
    TRY_STATUS(context_.firewall.write_policies());
    return status_of(inspect_policy(id));
  }
  stored.value.policies.erase(policy);
  TRY_STATUS(write(stored.value, stored.revision));
  fault_point("policy.remove.committed");
  TRY_STATUS(context_.firewall.write_policies());
  fault_point("policy.remove.written");
  log::info("policy removed", {{"id", id}});
  return {};
}

Status Policies::set_endpoint_labels(const EndpointRef& ref,
                                     const std::map<std::string, std::string>& labels) {
  TRY(auto held, context_.hold(ref.network));
  TRY(auto stored, context_.records.endpoint(held.network.id, ref.id));
  if (!stored)
    return fail(Code::kNotFound, "set labels: endpoint {} does not exist on network {}",
                ref.id.substr(0, 12), held.network.name.str());
  if (stored->value.labels != labels) {
    stored->value.labels = labels;
    TRY_STATUS(context_.commit(
        {.puts = {{keys::endpoint(held.network.id, ref.id), encode(stored->value)}}}));
    fault_point("endpoint.labels.committed");
  }
  return context_.firewall.select_endpoint();
}

}  // namespace fairlead::network
