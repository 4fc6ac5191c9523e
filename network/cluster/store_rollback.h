// Is the shared store still the one that this host knew? It may have been restored from a backup:
// then what was written since is gone, also the claims of blocks and addresses that are in use.
//
// Seen by its revision, which only grows otherwise; by the record of this host, which is never
// deleted and whose epoch only grows; and by the records of its blocks (reclaim.cpp). From then on
// this host is in quarantine: it writes its own records there anew, and claims nothing new before
// that is done and the others had the time to do the same.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/state/store.h"
#include "network/cluster/clock.h"
#include "network/cluster/records.h"

namespace fairlead::network::cluster {

// So long nothing new is claimed: every host that reaches the store has noticed within a heartbeat.
inline constexpr long long kSettleSeconds = 60;

// Thread-safe. The stores must outlive it.
class StoreRollbackDetector {
 public:
  StoreRollbackDetector(state::Store& shared, state::Store& local, Clock clock);

  // Reads the store's revision and remembers it in the local store.
  Status look();
  void quarantine(std::string_view reason);
  bool is_quarantined();
  std::uint64_t quarantines();  // how often it began in this process
  // Looks, and is kUnavailable in quarantine.
  Status may_claim();
  // All that this host owns was found or is written anew, but for these.
  void restored(std::vector<std::string> conflicts);
  // Ends the quarantine when it is time.
  Status settle();
  bool has_conflicts();
  std::vector<std::string> problems();

 private:
  Status load();
  Status compare();
  Status save();  // with the lock

  state::Store& shared_;
  state::Store& local_;
  const Clock clock_;
  std::mutex guard_;
  std::optional<SeenRecord> seen_;
  std::uint64_t quarantines_ = 0;
  bool is_restored_ = false;  // this process has done so since the quarantine began
  std::vector<std::string> conflicts_;
};

}  // namespace fairlead::network::cluster
