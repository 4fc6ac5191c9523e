// Computes the messages that make a device hold the wanted entries, from the entries that the
// kernel holds. Pure functions.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "network/kernel/tunnels/vxlan.h"

namespace fairlead::kernel {

// The two tables of a device, as the kernel holds them.
struct EntryTables {
  std::map<IpAddress, MacAddress> neighbours;
  // The zero MAC: the destination of packets to unknown MACs.
  std::map<MacAddress, IpAddress> forwarding;
};

enum class EntryVerb { kSetForwarding, kSetNeighbour, kDeleteNeighbour, kDeleteForwarding };

struct EntryStep {
  EntryVerb verb;
  std::size_t entry;  // index into EntryPlan::entries
};

struct EntryPlan {
  std::vector<RemoteEntry> entries;  // first those to set, then those to remove
  std::size_t set = 0;               // how many of `entries` are to be set
  std::size_t unchanged = 0;
  // In the order of the messages. The forwarding entry of an address is set before its neighbour
  // entry, and deleted after it, so that the device never answers for an address to which it cannot
  // forward.
  std::vector<EntryStep> steps;
};

EntryPlan plan_set(std::span<const RemoteEntry> to_set);
// `held` has to contain all neighbours, and at least the forwarding entries of the MACs to remove.
EntryPlan plan_removal(EntryTables held, std::span<const RemoteEntry> to_remove);
EntryPlan plan_sync(const EntryTables& held, std::span<const RemoteEntry> wanted);

// The addresses that have both a neighbour entry and a forwarding entry.
std::vector<RemoteEntry> complete_entries(const EntryTables& held);

}  // namespace fairlead::kernel
