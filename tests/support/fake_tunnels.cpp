#include "tests/support/fake_tunnels.h"

#include <algorithm>
#include <cerrno>

namespace fairlead::testing {

using kernel::EntryChanges;
using kernel::EntryVerb;
using kernel::RemoteEntry;
using kernel::VxlanSpec;

void FakeTunnels::fail_next(const std::string& verb, Error error) {
  const std::lock_guard lock(mutex_);
  failures_[verb] = std::move(error);
}

void FakeTunnels::add_underlay(const IpAddress& local, unsigned mtu) {
  const std::lock_guard lock(mutex_);
  underlay_[local] = mtu;
}

std::set<MacAddress> FakeTunnels::pinned(const IfName& port) const {
  const std::lock_guard lock(mutex_);
  std::set<MacAddress> macs;
  const auto link = links_.find(port);
  if (!link) return macs;
  for (const auto& [key, index] : pins_)
    if (index == link->index && key.first == link->master) macs.insert(key.second);
  return macs;
}

Status FakeTunnels::enter(const std::string& verb) {
  const auto ordered = failures_.find(verb);
  if (ordered == failures_.end()) return {};
  Error error = ordered->second;
  failures_.erase(ordered);
  return fail(std::move(error));
}

Result<FakeTunnels::Device*> FakeTunnels::device(const IfName& name) {
  TRY(const kernel::Link link, links_.find(name));
  const auto found = devices_.find(name);
  if (found == devices_.end() || found->second.index != link.index)
    return fail(Code::kInvalid, "interface {} is no tunnel", name.str());
  return &found->second;
}

Result<kernel::Tunnel> FakeTunnels::ensure(const VxlanSpec& spec) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("ensure"));
  if (spec.vni == 0 || spec.vni >= 1U << 24)
    return fail(Code::kInvalid, "make tunnel {}: {} is no VNI", spec.name.str(), spec.vni);
  if (spec.local.is_any() || spec.local.is_multicast())
    return fail(Code::kInvalid, "make tunnel {}: no address of this host", spec.name.str());
  auto present = links_.find(spec.name);
  if (present && present->kind != "vxlan")
    return fail(Code::kExists, "make tunnel {}: it is no tunnel", spec.name.str());
  const auto same = [&](const VxlanSpec& other) {
    return other.vni == spec.vni && other.port == spec.port;
  };
  for (const auto& [name, other] : devices_)
    if (const auto link = links_.find(name);
        name != spec.name && same(other.spec) && link && link->index == other.index)
      return fail(Code::kExists, "make tunnel {}: interface {} has VNI {}", spec.name.str(),
                  name.str(), spec.vni);
  const auto known = devices_.find(spec.name);
  if (present && (known == devices_.end() || !same(known->second.spec) ||
                  known->second.spec.local != spec.local)) {
    TRY_STATUS(links_.remove(spec.name));
    present = links_.find(spec.name);
  }
  TRY(const kernel::Link bridge, links_.find(spec.master));
  const int index = links_.put({.name = spec.name.str(),
                                .kind = "vxlan",
                                .mac = spec.mac,
                                .mtu = spec.mtu,
                                .up = true,
                                .master = bridge.index,
                                .alias = spec.alias});
  const bool fresh = !present || !present->up || present->mac != spec.mac;
  Device& made = devices_[spec.name];
  if (!present) made.tables = {};
  if (fresh) made.tables.neighbours.clear();
  made.index = index;
  made.spec = spec;
  return kernel::Tunnel{.index = index, .fresh = fresh};
}

Status FakeTunnels::remove(const IfName& name) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("remove"));
  const auto present = links_.find(name);
  if (!present) return {};
  if (present->kind != "vxlan")
    return fail(Code::kExists, "delete tunnel {}: it is no tunnel", name.str());
  devices_.erase(name);
  return links_.remove(name);
}

Result<unsigned> FakeTunnels::underlay_mtu(const IpAddress& local) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("underlay_mtu"));
  const auto found = underlay_.find(local);
  if (found == underlay_.end())
    return fail(Code::kNotFound, "no interface of this host has the address {}", local.to_string());
  return found->second;
}

Status FakeTunnels::pin(const IfName& port, const MacAddress& mac) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("pin"));
  TRY(const kernel::Link link, links_.find(port));
  if (link.master == 0) return fail_errno(EOPNOTSUPP, "bind a MAC address to a bridge port");
  pins_[{link.master, mac}] = link.index;
  return {};
}

EntryChanges FakeTunnels::carry_out(Device& device, const kernel::EntryPlan& plan) {
  std::map<std::size_t, Error> failed;
  for (const auto& [verb, at] : plan.steps) {
    const RemoteEntry& entry = plan.entries[at];
    if (verb == EntryVerb::kSetNeighbour) device.tables.neighbours[entry.ip] = entry.mac;
    if (verb == EntryVerb::kDeleteNeighbour) device.tables.neighbours.erase(entry.ip);
    if (verb == EntryVerb::kDeleteForwarding) device.tables.forwarding.erase(entry.mac);
    if (verb != EntryVerb::kSetForwarding) continue;
    if (entry.vtep.family() == device.spec.local.family())
      device.tables.forwarding[entry.mac] = entry.vtep;
    else
      failed.emplace(at, sys_error(EAFNOSUPPORT, "forward " + entry.mac.to_string()));
  }
  EntryChanges changes{.unchanged = plan.unchanged};
  for (std::size_t at = 0; at < plan.entries.size(); ++at) {
    if (const auto failure = failed.find(at); failure != failed.end())
      changes.failures.push_back({plan.entries[at], failure->second});
    else
      ++(at < plan.set ? changes.set : changes.removed);
  }
  return changes;
}

Result<EntryChanges> FakeTunnels::apply(const IfName& name, std::span<const RemoteEntry> to_set,
                                        std::span<const RemoteEntry> to_remove) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("apply"));
  TRY(Device * found, device(name));
  EntryChanges changes = carry_out(*found, kernel::plan_set(to_set));
  for (const RemoteEntry& gone : to_remove) {
    if (std::ranges::find(to_set, gone) != to_set.end()) {
      ++changes.unchanged;
      continue;
    }
    const EntryChanges removal = carry_out(
        *found, kernel::plan_removal(found->tables, std::span<const RemoteEntry>(&gone, 1)));
    changes.removed += removal.removed;
    changes.unchanged += removal.unchanged;
  }
  return changes;
}

Result<std::vector<RemoteEntry>> FakeTunnels::dump(const IfName& name) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("dump"));
  TRY(const Device* found, device(name));
  return kernel::complete_entries(found->tables);
}

Result<EntryChanges> FakeTunnels::sync(const IfName& name, std::span<const RemoteEntry> wanted) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("sync"));
  TRY(Device * found, device(name));
  return carry_out(*found, kernel::plan_sync(found->tables, wanted));
}

}  // namespace fairlead::testing
