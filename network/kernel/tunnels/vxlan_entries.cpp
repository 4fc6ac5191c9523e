// The entries of Tunnels for remote addresses. They are changed in batches, and read in dumps.
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "network/kernel/links/messages.h"
#include "network/kernel/tunnels/vxlan_messages.h"
#include "network/kernel/tunnels/vxlan_netlink.h"

namespace fairlead::kernel {

namespace {

constexpr std::size_t kBatch = 200;  // messages in one send; larger batches are not faster

NetlinkMessage message_of(EntryVerb verb, int device, const RemoteEntry& entry) {
  switch (verb) {
    case EntryVerb::kSetForwarding:
      return set_forwarding(device, entry.mac, entry.vtep);
    case EntryVerb::kSetNeighbour:
      return set_neighbour(device, entry.ip, entry.mac);
    case EntryVerb::kDeleteNeighbour:
      return delete_neighbour(device, entry.ip);
    case EntryVerb::kDeleteForwarding:
      break;
  }
  return delete_forwarding(device, entry.mac);
}

std::string describe(EntryVerb verb, const IfName& device, const RemoteEntry& entry) {
  const std::string mac = entry.mac.to_string();
  switch (verb) {
    case EntryVerb::kSetForwarding:
      return fmt::format("forward {} to {} on tunnel {}", mac, entry.vtep.to_string(),
                         device.str());
    case EntryVerb::kSetNeighbour:
      return fmt::format("set neighbour {} at {} on tunnel {}", entry.ip.to_string(), mac,
                         device.str());
    case EntryVerb::kDeleteNeighbour:
      return fmt::format("forget neighbour {} on tunnel {}", entry.ip.to_string(), device.str());
    case EntryVerb::kDeleteForwarding:
      break;
  }
  return fmt::format("stop forwarding {} on tunnel {}", mac, device.str());
}

bool is_deletion(EntryVerb verb) {
  return verb == EntryVerb::kDeleteNeighbour || verb == EntryVerb::kDeleteForwarding;
}

void collect_forwarding(const MessageView& message, int device, EntryTables& tables) {
  if (message.type != RTM_NEWNEIGH) return;
  const auto entry = parse_neighbour(message.payload);
  // The same dump has the bridge's own entries for this port, which are without NTF_SELF.
  if (!entry || entry->family != AF_BRIDGE || entry->ifindex != device || !entry->mac ||
      (entry->flags & NTF_SELF) == 0)
    return;
  tables.forwarding[*entry->mac] = entry->ip.value_or(IpAddress());
}

void collect_neighbour(const MessageView& message, int device, EntryTables& tables) {
  if (message.type != RTM_NEWNEIGH) return;
  const auto entry = parse_neighbour(message.payload);
  if (!entry || entry->ifindex != device || !entry->ip || !entry->mac ||
      (entry->state & NUD_PERMANENT) == 0)
    return;
  tables.neighbours[*entry->ip] = *entry->mac;
}

}  // namespace

Result<int> NetlinkTunnels::index_of(const IfName& device) {
  TRY(const LinkDetails present, devices_.expect(device));
  return present.link.index;
}

Status NetlinkTunnels::carry_out(const IfName& device, int index, const EntryPlan& plan,
                                 EntryChanges& changes) {
  std::set<std::size_t> failed;
  for (std::size_t first = 0; first < plan.steps.size(); first += kBatch) {
    const auto steps =
        std::span(plan.steps).subspan(first, std::min(kBatch, plan.steps.size() - first));
    std::vector<NetlinkMessage> messages;
    messages.reserve(steps.size());
    for (const EntryStep& step : steps)
      messages.push_back(message_of(step.verb, index, plan.entries[step.entry]));
    const auto on_failure = [&](std::size_t at, const Ack& ack) {
      const auto& [verb, entry] = steps[at];
      if (is_deletion(verb) && ack.sys_errno == ENOENT) return;
      if (!failed.insert(entry).second) return;
      changes.failures.push_back(
          {plan.entries[entry], explained(ack, describe(verb, device, plan.entries[entry]))});
    };
    // Other callers get their turn between two batches.
    TRY_STATUS(entries_.exchange(
        std::move(messages), fmt::format("change entries of tunnel {}", device.str()), on_failure));
  }
  const auto failed_sets =
      static_cast<std::size_t>(std::distance(failed.begin(), failed.lower_bound(plan.set)));
  changes.set += plan.set - failed_sets;
  changes.removed += plan.entries.size() - plan.set - (failed.size() - failed_sets);
  changes.unchanged += plan.unchanged;
  return {};
}

Status NetlinkTunnels::read_neighbours(int index, EntryTables& tables) {
  for (const Family family : {Family::kV4, Family::kV6}) {
    EntryTables part;
    const Status read = entries_.dump(
        dump_neighbours(family, index), "list neighbours", [&] { part.neighbours.clear(); },
        [&](const MessageView& message) { collect_neighbour(message, index, part); });
    // A kernel without IPv6 has no IPv6 neighbour table.
    if (!read && read.error().sys_errno != EAFNOSUPPORT && read.error().sys_errno != EOPNOTSUPP)
      return read;
    tables.neighbours.merge(part.neighbours);
  }
  return {};
}

Status NetlinkTunnels::read_forwarding(int index, EntryTables& tables) {
  return entries_.dump(
      dump_forwarding(index), "list forwarding entries", [&] { tables.forwarding.clear(); },
      [&](const MessageView& message) { collect_forwarding(message, index, tables); });
}

Status NetlinkTunnels::look_up_forwarding(int index, std::span<const RemoteEntry> entries,
                                          EntryTables& tables) {
  for (std::size_t first = 0; first < entries.size(); first += kBatch) {
    std::vector<NetlinkMessage> messages;
    for (const RemoteEntry& entry :
         entries.subspan(first, std::min(kBatch, entries.size() - first)))
      messages.push_back(get_forwarding(index, entry.mac));
    std::optional<Error> failure;
    const auto on_failure = [&](std::size_t, const Ack& ack) {
      if (ack.sys_errno != ENOENT) failure = explained(ack, "look up forwarding entries");
    };
    TRY_STATUS(entries_.exchange(
        std::move(messages), "look up forwarding entries", on_failure,
        [&](const MessageView& message) { collect_forwarding(message, index, tables); }));
    if (failure) return fail(*failure);
  }
  return {};
}

Result<EntryTables> NetlinkTunnels::read_tables(int index) {
  EntryTables tables;
  TRY_STATUS(read_neighbours(index, tables));
  TRY_STATUS(read_forwarding(index, tables));
  return tables;
}

Result<EntryChanges> NetlinkTunnels::apply(const IfName& device,
                                           std::span<const RemoteEntry> to_set,
                                           std::span<const RemoteEntry> to_remove) {
  TRY(const int index, index_of(device));
  EntryChanges changes;
  TRY_STATUS(carry_out(device, index, plan_set(to_set), changes));
  if (to_remove.empty()) return changes;

  const std::set<RemoteEntry> kept(to_set.begin(), to_set.end());
  std::vector<RemoteEntry> gone;
  std::ranges::copy_if(to_remove, std::back_inserter(gone),
                       [&](const RemoteEntry& entry) { return !kept.contains(entry); });
  changes.unchanged += to_remove.size() - gone.size();
  EntryTables held;
  TRY_STATUS(read_neighbours(index, held));
  TRY_STATUS(look_up_forwarding(index, gone, held));
  TRY_STATUS(carry_out(device, index, plan_removal(std::move(held), gone), changes));
  return changes;
}

Result<std::vector<RemoteEntry>> NetlinkTunnels::dump(const IfName& device) {
  TRY(const int index, index_of(device));
  TRY(const EntryTables held, read_tables(index));
  return complete_entries(held);
}

Result<EntryChanges> NetlinkTunnels::sync(const IfName& device,
                                          std::span<const RemoteEntry> wanted) {
  TRY(const int index, index_of(device));
  TRY(const EntryTables held, read_tables(index));
  EntryChanges changes;
  TRY_STATUS(carry_out(device, index, plan_sync(held, wanted), changes));
  return changes;
}

}  // namespace fairlead::kernel
