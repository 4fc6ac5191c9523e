#include "network/cluster/host_table.h"

#include <algorithm>

namespace fairlead::network::cluster {

namespace {

constexpr std::chrono::seconds kMassFailureWindow{30};
constexpr std::size_t kMassFailureLeast = 3;
constexpr std::size_t kMassFailurePercent = 30;

bool is_too_many(std::size_t gone, std::size_t of) {
  return gone >= kMassFailureLeast && gone * 100 > of * kMassFailurePercent;
}

}  // namespace

bool HostTable::is_member(const Entry& entry) {
  return entry.known && entry.record.phase == HostPhase::kMember;
}

void HostTable::set_host(const HostRecord& record) {
  Entry& entry = entries_[record.info.id];
  entry.record = record;
  entry.known = true;
}

void HostTable::remove_host(const std::string& id) { entries_.erase(id); }

void HostTable::set_live(const std::string& id, const LiveRecord&) { entries_[id].live = true; }

void HostTable::remove_live(const std::string& id, Now now) {
  const auto found = entries_.find(id);
  if (found != entries_.end()) vanish(found->second, now);
}

void HostTable::replace(const std::vector<HostRecord>& hosts,
                        const std::map<std::string, LiveRecord>& lives, Now now) {
  std::map<std::string, bool> listed;
  for (const HostRecord& record : hosts) {
    set_host(record);
    listed[record.info.id] = true;
  }
  std::erase_if(entries_, [&](const auto& entry) { return !listed.contains(entry.first); });
  for (auto& [id, entry] : entries_)
    if (!lives.contains(id)) vanish(entry, now);
  for (const auto& [id, live] : lives)
    if (listed.contains(id)) set_live(id, live);
}

void HostTable::vanish(Entry& entry, Now now) {
  if (!entry.live) return;
  entry.live = false;
  entry.vanished_at = now.running;
  if (!is_member(entry)) return;  // it has left the cluster properly
  while (!vanished_.empty() && vanished_.front() + kMassFailureWindow < now.running)
    vanished_.pop_front();
  if (vanished_.empty()) alive_before_ = members() - missing() + 1;
  vanished_.push_back(now.running);
  guard_mass_failure(now);
}

std::size_t HostTable::members() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [](const auto& entry) { return is_member(entry.second); }));
}

std::size_t HostTable::missing() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      entries_, [](const auto& entry) { return is_member(entry.second) && !entry.second.live; }));
}

// The guard begins to hold when too many hosts vanished within the window, and ends when enough
// hosts are back.
void HostTable::guard_mass_failure(Now now) {
  while (!vanished_.empty() && vanished_.front() + kMassFailureWindow < now.running)
    vanished_.pop_front();
  if (!holding_ && is_too_many(vanished_.size(), alive_before_)) {
    holding_ = true;
    for (auto& [id, entry] : entries_)  // the first hosts that vanished may be suspect already
      if (entry.state == HostState::kSuspect &&
          entry.vanished_at + kMassFailureWindow >= now.running)
        entry.state = HostState::kAlive;
  }
  if (holding_ && !is_too_many(missing(), members())) {
    holding_ = false;
    vanished_.clear();
  }
}

void HostTable::settle(Now now) {
  guard_mass_failure(now);
  for (auto& [id, entry] : entries_) {
    HostState state = entry.state;
    if (!is_member(entry))
      state = HostState::kGone;
    else if (entry.live)
      state = HostState::kAlive;
    else if (!holding_)
      state = HostState::kSuspect;
    if (state == entry.state && entry.since != 0) continue;
    entry.state = state;
    entry.since = state == HostState::kGone && entry.record.changed != 0 ? entry.record.changed
                                                                         : now.unix_time;
  }
}

std::vector<Host> HostTable::hosts(Now now) {
  settle(now);
  std::vector<Host> found;
  for (const auto& [id, entry] : entries_)
    if (entry.known)
      found.push_back({entry.record.info, entry.record.epoch, entry.state, entry.since});
  std::ranges::stable_sort(found, {}, [](const Host& host) { return host.info.name; });
  return found;
}

bool HostTable::is_holding(Now now) {
  settle(now);
  return holding_;
}

void HostTable::release_hold(Now now) {
  vanished_.clear();
  holding_ = false;
  settle(now);
}

std::vector<std::string> HostTable::problems(Now now) {
  std::vector<std::string> found;
  if (is_holding(now))
    found.push_back(fmt::format(
        "{} of {} hosts vanished from the cluster within {} seconds: that looks like the store or "
        "its network, so nothing of them is withdrawn; `fairlead cluster release` says they are "
        "down",
        missing(), members(), kMassFailureWindow.count()));
  for (const auto& [id, entry] : entries_)
    if (entry.known && entry.state == HostState::kSuspect)
      found.push_back(fmt::format(
          "host {} has not been heard of for {} s; if it does not come back, `fairlead host rm {}` "
          "frees its addresses",
          entry.record.info.name, std::max(0LL, now.unix_time - entry.since),
          entry.record.info.name));
  return found;
}

}  // namespace fairlead::network::cluster
