// Which messages make a device hold what is wanted: pure, from what the kernel holds.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "network/kernel/vxlan.h"

namespace fairlead::kernel {

// The two tables of a device, as the kernel holds them.
struct EntryTables {
  std::map<IpAddress, MacAddress> neighbours;
  std::map<MacAddress, IpAddress> forwarding;  // the zero MAC: where unknown packets are flooded to
};

enum class EntryVerb { kSetForwarding, kSetNeighbour, kDeleteNeighbour, kDeleteForwarding };

struct EntryStep {
  EntryVerb verb;
  std::size_t entry;  // index into EntryPlan::entries
};

struct EntryPlan {
  std::vector<RemoteEntry> entries;  // first those that are set, then those that are removed
  std::size_t set = 0;               // how many of them are set
  std::size_t unchanged = 0;
  // In the order of the messages. An entry is forwarded before it is found, and no longer found
  // before it is no longer forwarded: in between nobody is sent to an address that leads nowhere.
  std::vector<EntryStep> steps;
};

EntryPlan plan_set(std::span<const RemoteEntry> to_set);
// `held`: all neighbours, and of the forwarding entries at least those of the MACs to remove.
EntryPlan plan_removal(EntryTables held, std::span<const RemoteEntry> to_remove);
EntryPlan plan_sync(const EntryTables& held, std::span<const RemoteEntry> wanted);

// The entries that are complete.
std::vector<RemoteEntry> complete_entries(const EntryTables& held);

}  // namespace fairlead::kernel
