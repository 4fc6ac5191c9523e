#include "network/service/policy_names.h"

#include <algorithm>
#include <set>

#include "base/fault.h"
#include "base/log.h"
#include "network/service/keys.h"

namespace fairlead::network {

namespace {

// Seconds. Names whose records live for a shorter time are not asked for more often, and others are asked for
// now and then, whatever their records say.
constexpr long long kFloor = 30, kCap = 900, kAgain = 30;
// For so long an address stays that the name has no more: connections to it go on.
constexpr long long kGrace = 3 * 3600;
constexpr std::size_t kMostAddresses = 256;

void add_name(const PolicyEnd& end, std::set<std::string>& names) {
  if (end.kind == PolicyEnd::Kind::kName) names.insert(end.name);
}

void merge(NameRecord& record, const kernel::ResolvedName& resolved, long long now) {
  for (const IpAddress& address : resolved.addresses) {
    const auto known = std::ranges::find(record.addresses, address, &NameAddress::address);
    if (known == record.addresses.end())
      record.addresses.push_back({address, now});
    else
      known->seen = now;
  }
  std::erase_if(record.addresses,
                [&](const NameAddress& each) { return each.seen + kGrace < now; });
  std::ranges::stable_sort(record.addresses, std::ranges::greater(), &NameAddress::seen);
  if (record.addresses.size() > kMostAddresses) record.addresses.resize(kMostAddresses);
  record.due = now + std::clamp<long long>(resolved.ttl.count(), kFloor, kCap);
}

std::set<IpAddress> addresses_of(const NameRecord& record) {
  std::set<IpAddress> addresses;
  for (const NameAddress& each : record.addresses) addresses.insert(each.address);
  return addresses;
}

void tell_refused(const std::string& name, const std::set<IpAddress>& before,
                  const NameRecord& after) {
  for (const NameAddress& each : after.addresses)
    if (!is_of_the_internet(each.address) && !before.contains(each.address))
      log::warn(
          "a name of policies has an address that is nobody's in the internet: policies that allow "
          "the name do "
          "not open it",
          {{"name", name}, {"address", each.address.to_string()}});
}

}  // namespace

Result<std::vector<std::string>> PolicyNames::wanted() {
  std::set<std::string> names;
  TRY(const auto stored, context_.records.policies());
  for (const Policy& policy : stored.value.policies) add_name(policy.spec.to, names);
  TRY(const auto records, context_.parts.store.list(keys::kNetworks));
  for (const state::Record& record : records) {
    if (record.value.find("egress_allow") == record.value.npos) continue;  // most
    TRY(const auto network, decode_network(record.value));
    for (const EgressRule& rule : network.options.egress_allow) add_name(rule.to, names);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> PolicyNames::refresh() {
  std::vector<std::string> unknown;
  if (context_.parts.resolver == nullptr) return unknown;
  TRY(const auto names, wanted());
  bool changed = false;
  for (const std::string& name : names) TRY_STATUS(ask(name, unknown, changed));
  TRY_STATUS(drop_unused(changed));
  if (!changed) return unknown;
  fault_point("policy.names.committed");
  TRY(const auto guard, context_.firewall.lock_policies());
  TRY_STATUS(context_.firewall.write_policies());
  return unknown;
}

Status PolicyNames::ask(const std::string& name, std::vector<std::string>& unknown, bool& changed) {
  TRY(auto record, context_.records.policy_name(name));
  const long long now = context_.parts.unix_time();
  // A clock that was set back is no reason to wait for long.
  if (record.due > now && record.due <= now + kCap) return {};
  const auto before = addresses_of(record);
  const auto resolved = context_.parts.resolver->resolve(name);
  if (resolved) merge(record, *resolved, now);
  if (!resolved) {
    record.due = now + kAgain;
    unknown.push_back(resolved.error().text);
    log::debug("a name of policies was not found",
               {{"name", name}, {"error", resolved.error().text}});
  }
  TRY_STATUS(context_.commit({.puts = {{keys::policy_name(name), encode(record)}}}));
  changed = changed || addresses_of(record) != before;
  tell_refused(name, before, record);
  return {};
}

// What is wanted may have changed while servers were asked.
Status PolicyNames::drop_unused(bool& changed) {
  TRY(const auto names, wanted());
  TRY(const auto records, context_.parts.store.list(keys::kPolicyNames));
  state::Txn txn;
  for (const state::Record& record : records)
    if (!std::ranges::binary_search(names, record.key.substr(keys::kPolicyNames.size())))
      txn.deletes.push_back(record.key);
  if (txn.deletes.empty()) return {};
  changed = true;
  return context_.commit(std::move(txn));
}

}  // namespace fairlead::network
