// The state of all hosts as this process has observed it, and the mass-failure guard. Pure: the
// caller passes the time.
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
  // Replaces everything by complete lists; a host or live key that is not listed does not exist.
  void replace(const std::vector<HostRecord>& hosts, const std::map<std::string, LiveRecord>& lives,
               Now now);

  // Updates the states, and returns all hosts, ordered by name and id.
  std::vector<Host> hosts(Now now);
  bool is_holding(Now now);
  void release_hold(Now now);
  std::vector<std::string> problems(Now now);

 private:
  struct Entry {
    HostRecord record;
    bool known = false;  // `record` was seen; the live key may be seen before it
    bool live = false;
    std::chrono::milliseconds vanished_at{};
    HostState state = HostState::kAlive;
    long long since = 0;
  };

  void vanish(Entry& entry, Now now);
  void settle(Now now);  // updates the mass-failure guard, and then the states
  void guard_mass_failure(Now now);
  std::size_t missing() const;  // members without a live key
  std::size_t members() const;
  static bool is_member(const Entry& entry);

  std::map<std::string, Entry> entries_;
  std::deque<std::chrono::milliseconds> vanished_;  // when members vanished in the last 30 s
  std::size_t alive_before_ = 0;  // members alive before the first of `vanished_` vanished
  bool holding_ = false;
};

}  // namespace fairlead::network::cluster
