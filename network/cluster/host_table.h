// Which hosts live, as this process sees it over time, and the mass-failure guard. Pure: times are
// given.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "network/cluster/records.h"

namespace fairlead::network::cluster {

// Not thread-safe.
class HostTable {
 public:
  struct Now {
    std::chrono::milliseconds running{};
    long long unix_time = 0;
  };

  void set_host(const HostRecord& record);
  void remove_host(const std::string& id);
  void set_live(const std::string& id, const LiveRecord& live);
  void remove_live(const std::string& id, Now now);
  // A complete list of both: what is not in it is not there.
  void replace(const std::vector<HostRecord>& hosts, const std::map<std::string, LiveRecord>& lives,
               Now now);

  // Brings states up to date and returns all, ordered by name and id.
  std::vector<Host> hosts(Now now);
  bool is_holding(Now now);
  void release_hold(Now now);
  std::vector<std::string> problems(Now now);

 private:
  struct Entry {
    HostRecord record;
    bool known = false;  // `record` was seen; a live key may come first
    bool live = false;
    std::chrono::milliseconds vanished_at{};
    HostState state = HostState::kAlive;
    long long since = 0;
  };

  void vanish(Entry& entry, Now now);
  void settle(Now now);  // the mass-failure guard first, then the states
  void guard_mass_failure(Now now);
  std::size_t missing() const;  // members without a live key
  std::size_t members() const;
  static bool is_member(const Entry& entry);

  std::map<std::string, Entry> entries_;
  std::deque<std::chrono::milliseconds> vanished_;  // of the last 30 s
  std::size_t alive_before_ = 0;                    // when the first of these vanished
  bool holding_ = false;
};

}  // namespace fairlead::network::cluster
