#include "network/kernel/tunnels/vxlan_plan.h"

#include <set>

namespace fairlead::kernel {

namespace {

// The wanted tables, with one MAC for each address and one VTEP for each MAC. Of several entries
// for one address or MAC the last one counts.
struct Wanted {
  explicit Wanted(std::span<const RemoteEntry> entries) {
    std::map<IpAddress, const RemoteEntry*> last;
    for (const RemoteEntry& entry : entries) last[entry.ip] = &entry;
    for (const RemoteEntry& entry : entries)
      if (last.at(entry.ip) == &entry) tables.forwarding[entry.mac] = entry.vtep;
    for (const auto& [ip, entry] : last)
      tables.neighbours.emplace_hint(tables.neighbours.end(), ip, entry->mac);
  }
  EntryTables tables;
};

template <class Key, class Value>
bool holds(const std::map<Key, Value>& table, const Key& key, const Value& value) {
  const auto found = table.find(key);
  return found != table.end() && found->second == value;
}

std::size_t add_entry(EntryPlan& plan, const RemoteEntry& entry) {
  plan.entries.push_back(entry);
  return plan.entries.size() - 1;
}

void plan_missing(const EntryTables& held, const EntryTables& wanted, EntryPlan& plan) {
  std::set<MacAddress> sent;
  for (const auto& [ip, mac] : wanted.neighbours) {
    const IpAddress& vtep = wanted.forwarding.at(mac);
    const bool forwarded = holds(held.forwarding, mac, vtep);
    const bool found = holds(held.neighbours, ip, mac);
    if (forwarded && found) {
      ++plan.unchanged;
      continue;
    }
    const std::size_t entry = add_entry(plan, {.ip = ip, .mac = mac, .vtep = vtep});
    if (!forwarded && sent.insert(mac).second)
      plan.steps.push_back({EntryVerb::kSetForwarding, entry});
    if (!found) plan.steps.push_back({EntryVerb::kSetNeighbour, entry});
  }
  plan.set = plan.entries.size();
}

void plan_stale(const EntryTables& held, const EntryTables& wanted, EntryPlan& plan) {
  std::map<MacAddress, IpAddress> stale;
  for (const auto& [mac, vtep] : held.forwarding)
    if (!wanted.forwarding.contains(mac)) stale.emplace_hint(stale.end(), mac, vtep);
  for (const auto& [ip, mac] : held.neighbours) {
    if (wanted.neighbours.contains(ip)) continue;
    const auto forwarding = stale.find(mac);
    RemoteEntry gone{.ip = ip, .mac = mac};
    if (forwarding != stale.end()) gone.vtep = forwarding->second;
    const std::size_t entry = add_entry(plan, gone);
    plan.steps.push_back({EntryVerb::kDeleteNeighbour, entry});
    if (forwarding == stale.end()) continue;
    plan.steps.push_back({EntryVerb::kDeleteForwarding, entry});
    stale.erase(forwarding);
  }
  for (const auto& [mac, vtep] : stale)
    plan.steps.push_back(
        {EntryVerb::kDeleteForwarding, add_entry(plan, {.mac = mac, .vtep = vtep})});
}

}  // namespace

EntryPlan plan_set(std::span<const RemoteEntry> to_set) {
  EntryPlan plan;
  plan.entries.assign(to_set.begin(), to_set.end());
  plan.set = to_set.size();
  plan.steps.reserve(2 * to_set.size());
  for (std::size_t entry = 0; entry < to_set.size(); ++entry) {
    plan.steps.push_back({EntryVerb::kSetForwarding, entry});
    plan.steps.push_back({EntryVerb::kSetNeighbour, entry});
  }
  return plan;
}

EntryPlan plan_removal(EntryTables held, std::span<const RemoteEntry> to_remove) {
  EntryPlan plan;
  std::map<MacAddress, std::size_t> users;  // how many addresses have the MAC
  for (const auto& [ip, mac] : held.neighbours) ++users[mac];
  for (const RemoteEntry& gone : to_remove) {
    const auto forwarding = held.forwarding.find(gone.mac);
    const bool forwarded = forwarding != held.forwarding.end();
    const bool moved = forwarded && forwarding->second != gone.vtep;
    const bool found = !moved && holds(held.neighbours, gone.ip, gone.mac);
    const bool last = forwarded && !moved && users[gone.mac] == (found ? 1U : 0U);
    if (!found && !last) {
      ++plan.unchanged;
      continue;
    }
    const std::size_t entry = add_entry(plan, gone);
    if (found) {
      plan.steps.push_back({EntryVerb::kDeleteNeighbour, entry});
      held.neighbours.erase(gone.ip);
      --users[gone.mac];
    }
    if (last) {
      plan.steps.push_back({EntryVerb::kDeleteForwarding, entry});
      held.forwarding.erase(forwarding);
    }
  }
  return plan;
}

EntryPlan plan_sync(const EntryTables& held, std::span<const RemoteEntry> wanted) {
  const Wanted want(wanted);
  EntryPlan plan;
  plan_missing(held, want.tables, plan);
  plan_stale(held, want.tables, plan);
  return plan;
}

std::vector<RemoteEntry> complete_entries(const EntryTables& held) {
  std::vector<RemoteEntry> entries;
  for (const auto& [ip, mac] : held.neighbours)
    if (const auto forwarding = held.forwarding.find(mac); forwarding != held.forwarding.end())
      entries.push_back({.ip = ip, .mac = mac, .vtep = forwarding->second});
  return entries;
}

}  // namespace fairlead::kernel
