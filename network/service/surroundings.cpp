#include "network/service/surroundings.h"

#include <fmt/ranges.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/fault.h"
#include "base/log.h"
#include "network/service/keys.h"
#include "network/service/surroundings_plan.h"

namespace fairlead::network {

namespace {

bool leads_out(const Network& network) {
  return network.phase != Phase::kDeleting && !network.internal;
}

std::string table_name(std::uint32_t table) {
  if (table == RT_TABLE_MAIN) return "table main";
  return fmt::format("table {}", table);
}

}  // namespace

// The bridges of networks are no way out, whatever routes others have put there.
Result<bool> Surroundings::refresh() {
  TRY(const auto guard, context_.lock_underlay());
  TRY(const auto networks, context_.records.networks());
  TRY(SurroundingsRecord before, context_.records.surroundings());
  SurroundingsPlan plan;
  std::set<std::string> ours{"lo"};
  for (const Network& network : networks)
    if (const auto driver = context_.driver_of(network.options))
      for (const IfName& link : (*driver)->links_of(network)) ours.insert(link.str());
  const bool needed = std::ranges::any_of(networks, leads_out);
  if (!needed && before == SurroundingsRecord()) return false;
  auto& routing = context_.parts.links.host_routing();
  if (needed) {
    TRY(const auto view, routing.routing_view());
    plan = plan_surroundings(view, ours, before, context_.parts.uplink_mask);
    if (plan.record != SurroundingsRecord()) plan.record.boot_id = context_.parts.boot_id;
  }
  const bool gone = plan.record == SurroundingsRecord();
  if (!gone) TRY_STATUS(record(before, plan.record));
  TRY(const bool changed, routing.set_answer_routes(plan.answers));
  fault_point("network.surroundings.rules");
  if (gone) TRY_STATUS(forget(before));
  for (const std::string& address : plan.without_mark)
    log::warn("no mark is left for the answers of an address", {{"address", address}});
  return changed || before != plan.record;
}

Status Surroundings::record(const SurroundingsRecord& before, const SurroundingsRecord& after) {
  if (before == after) return {};
  TRY_STATUS(context_.commit({.puts = {{std::string(keys::kSurroundings), encode(after)}}}));
  fault_point("network.surroundings.recorded");
  TRY_STATUS(context_.firewall.change_surroundings(before, after));
  fault_point("network.surroundings.elements");
  return {};
}

// The record goes last: it says that there may be rules and elements.
Status Surroundings::forget(const SurroundingsRecord& before) {
  if (before == SurroundingsRecord()) return {};
  TRY_STATUS(context_.firewall.change_surroundings(before, {}));
  return context_.commit({.deletes = {std::string(keys::kSurroundings)}});
}

void Surroundings::try_refresh() {
  if (const auto done = refresh(); !done)
    log::warn("look at the host's ways out", {{"error", done.error().text}});
}

Result<std::vector<std::string>> Surroundings::notes() {
  TRY(const auto record, context_.records.surroundings());
  std::map<std::string, std::vector<std::string>> ways;
  for (const UplinkRecord& uplink : record.uplinks)
    ways[fmt::format("{} by {} (mark 0x{:x})", uplink.link, table_name(uplink.table), uplink.mark)]
        .push_back(uplink.address.to_string());
  std::vector<std::string> notes;
  for (const auto& [way, addresses] : ways)
    notes.push_back(fmt::format("answers of published ports at {} leave through {}",
                                fmt::join(addresses, ", "), way));
  return notes;
}

// Addresses under which networks leave, and which the host does not have: no answer comes back.
Result<std::vector<std::string>> Surroundings::problems() {
  std::vector<std::string> problems;
  TRY(const auto networks, context_.records.networks());
  const bool asked = std::ranges::any_of(networks, [](const Network& network) {
    return network.options.snat_v4 || network.options.snat_v6;
  });
  if (!asked) return problems;
  TRY(const auto view, context_.parts.links.host_routing().routing_view());
  for (const Network& network : networks)
    for (const auto& address : {network.options.snat_v4, network.options.snat_v6}) {
      const bool there = !address || std::ranges::any_of(view.addresses, [&](const auto& each) {
        return each.address.address() == *address;
      });
      if (!there)
        problems.push_back(
            fmt::format("network {} leaves under {}, which no interface of this host has: no "
                        "answer comes back; "
                        "`ip address add {} dev INTERFACE`",
                        network.name.str(), address->to_string(), address->to_string()));
    }
  return problems;
}

}  // namespace fairlead::network
