// Removes a host for good (`host rm`).
#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "network/cluster/keys.h"
#include "network/cluster/membership.h"
#include "network/cluster/sweep.h"

namespace fairlead::network::cluster {

Result<Stored<HostRecord>> StoreMembership::find_host(std::string_view host) {
  TRY(const auto records, parts_.shared.list(keys::kHosts));
  std::vector<Stored<HostRecord>> found;
  for (const state::Record& record : records) {
    auto value = decode<HostRecord>(record);
    if (!value) continue;  // problems() reports it
    const bool is_it = value->info.name == host || value->info.id == host ||
                       (host.size() >= 3 && value->info.id.starts_with(host));
    if (is_it) found.push_back({std::move(*value), record.revision});
  }
  if (found.empty())
    return fail(Code::kNotFound, "there is no host {} in the cluster; `fairlead host ls` shows all",
                host);
  if (found.size() > 1)
    return fail(Code::kInvalid, "{} is the name of {} hosts; use the id: {} or {}", host,
                found.size(), found[0].value.info.id, found[1].value.info.id);
  return std::move(found[0]);
}

// Whether the host has seen its removal and joined again, and so has given back everything itself.
// Until a minute after its addresses became free, a repeated call counts as the end of that
// removal, and not as another one.
bool StoreMembership::came_back(const HostRecord& host) const {
  constexpr long long kSameRemoval = 60;
  return host.phase == HostPhase::kMember && host.free_after != 0 &&
         fence_.clock().unix_time() < host.free_after + kSameRemoval;
}

// Raises the host's epoch and deletes its live key, in one transaction. From then on the host
// cannot write, and sees that it was removed. A host that is already removed stays as it is,
// because the call continues that removal.
Result<HostRecord> StoreMembership::fence_off(const Stored<HostRecord>& host) {
  if (host.value.phase == HostPhase::kRemoved) return host.value;
  const std::string key = keys::host(host.value.info.id), live_key = keys::live(host.value.info.id);
  TRY(const auto live, parts_.shared.get(live_key));
  HostRecord removed = host.value;
  removed.epoch += 1;
  removed.phase = HostPhase::kRemoved;
  removed.changed = fence_.clock().unix_time();
  removed.free_after = removed.changed + kFenceSeconds;
  state::Txn txn{
      .preconditions = {{key, host.revision}, {live_key, live ? live->revision : state::kAbsent}},
      .puts = {{key, encode(removed)}},
      .durability = state::Durability::kDurable};
  if (live) txn.deletes = {live_key};
  TRY_STATUS(parts_.shared.commit(txn));
  log::warn("cluster.host.rm", {{"host", removed.info.name}, {"epoch", removed.epoch}});
  return removed;
}

// The seconds until the removed host must have seen its removal. They are counted from when this
// process first saw the removal, by a clock that never jumps, because the wall clocks of two hosts
// may differ by hours.
long long StoreMembership::still_to_wait(const HostRecord& removed) {
  const auto now = fence_.clock().running();
  const std::scoped_lock hold(removals_guard_);
  const auto [seen, fresh] = removals_.try_emplace(removed.info.id, removed.epoch, now);
  if (!fresh && seen->second.first != removed.epoch) seen->second = {removed.epoch, now};
  const auto waited = std::chrono::duration_cast<std::chrono::seconds>(now - seen->second.second);
  return std::max(0LL, kFenceSeconds - static_cast<long long>(waited.count()));
}

Result<HostRemoval> StoreMembership::remove_host(std::string_view host) {
  TRY(const auto found, find_host(host));
  if (found.value.info.id == parts_.info.id && !fence_.is_closed())
    return fail(Code::kInvalid,
                "{} is this host: it leaves by stopping; run `fairlead host rm` on another one",
                host);
  if (came_back(found.value)) return HostRemoval{.complete = true};
  TRY(const auto removed, fence_off(found));
  fault_point("cluster.rm.fenced");
  const auto is_void = [&](const std::string& host_id, std::uint64_t epoch) {
    return host_id == removed.info.id && epoch < removed.epoch;
  };
  HostRemoval removal;
  TRY(removal.endpoints, sweep_endpoints(parts_.shared, is_void));
  removal.retry_after = still_to_wait(removed);
  if (removal.retry_after > 0) return removal;
  TRY(removal.addresses, sweep_addresses(parts_.shared, is_void));
  TRY_STATUS(sweep_joined(parts_.shared, removed.info.id));
  removal.complete = true;
  return removal;
}

}  // namespace fairlead::network::cluster
