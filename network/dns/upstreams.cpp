#include "network/dns/upstreams.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace fairlead::dns {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kMissesOfSilent = 3;
constexpr milliseconds kClearlySlower{50};
constexpr seconds kLongestSilence{30};
constexpr std::size_t kMostStates = 1024;  // networks and containers may name servers of their own

seconds silence_after(unsigned misses) {
  const unsigned doubled = std::min(misses - kMissesOfSilent, 5U);
  return std::min(seconds(1U << doubled), kLongestSilence);
}

}  // namespace

std::string Upstream::to_string() const {
  std::string text = address.to_string();
  if (!zone.empty()) text += "%" + zone;
  if (port != 53) text = fmt::format("{} port {}", text, port);
  return text;
}

std::vector<Upstream> UpstreamHealth::order(std::vector<Upstream> servers, Clock::time_point now) {
  if (servers.size() < 2) return servers;
  std::vector<std::pair<int, Upstream>> ranked;
  ranked.reserve(servers.size());
  for (Upstream& server : servers) ranked.emplace_back(rank(server, now), std::move(server));
  std::ranges::stable_sort(ranked, {}, &std::pair<int, Upstream>::first);
  servers.clear();
  for (auto& [rank, server] : ranked) servers.push_back(std::move(server));
  return servers;
}

// A silent one whose time is over is asked first, by this question alone, which counts as missed until it is answered.
int UpstreamHealth::rank(const Upstream& server, Clock::time_point now) {
  const auto found = states_.find(server);
  if (found == states_.end()) return 0;
  State& state = found->second;
  if (state.misses < kMissesOfSilent) return static_cast<int>(state.smoothed / kClearlySlower);
  if (now < state.silent_until) return std::numeric_limits<int>::max();
  ++state.misses;
  state.silent_until = now + silence_after(state.misses);
  return -1;
}

UpstreamHealth::Change UpstreamHealth::answered(const Upstream& server, Clock::duration after) {
  State& state = state_of(server);
  const bool was_silent = std::exchange(state.misses, 0) >= kMissesOfSilent;
  // As RFC 6298 section 2 smooths.
  const bool known = state.smoothed > Clock::duration::zero() && !was_silent;
  state.smoothed = known ? (7 * state.smoothed + after) / 8 : after;
  return was_silent ? Change::kBack : Change::kNone;
}

// Those that were on their way when it fell silent say nothing new.
UpstreamHealth::Change UpstreamHealth::missed(const Upstream& server, Clock::time_point now) {
  State& state = state_of(server);
  if (state.misses >= kMissesOfSilent || ++state.misses < kMissesOfSilent) return Change::kNone;
  state.silent_until = now + silence_after(state.misses);
  return Change::kSilent;
}

UpstreamHealth::Clock::duration UpstreamHealth::usual_time(const Upstream& server) const {
  const auto found = states_.find(server);
  return found == states_.end() ? Clock::duration::zero() : found->second.smoothed;
}

UpstreamHealth::State& UpstreamHealth::state_of(const Upstream& server) {
  if (states_.size() >= kMostStates && !states_.contains(server)) states_.clear();
  return states_[server];
}

}  // namespace fairlead::dns
