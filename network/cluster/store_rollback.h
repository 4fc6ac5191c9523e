// Detects that the shared store was put back to an earlier state, for example by restoring a
// backup. Everything that was written since is missing then, including claims of blocks and
// addresses that are in use.
//
// It is detected by the store's revision, which otherwise only grows; by the record of this host,
// which is never deleted and whose epoch only grows; and by the records of this host's blocks
// (restoration.h). This host is in quarantine from then on: it writes its own records again, and
// claims nothing new until that is done and the other hosts had the time to do the same.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/state/store.h"
#include "network/cluster/clock.h"
#include "network/cluster/records.h"

namespace fairlead::network::cluster {

// For how long nothing new is claimed. Every host that reaches the store notices within a
// heartbeat.
inline constexpr long long kSettleSeconds = 60;

// Thread-safe. The stores must outlive the object.
class StoreRollbackDetector {
 public:
  StoreRollbackDetector(state::Store& shared, state::Store& local, Clock clock);

  // Compares the store's revision with the last one, and saves it in the local store.
  Status look();
  void quarantine(std::string_view reason);
  bool is_quarantined();
  std::uint64_t quarantines();  // how often a quarantine began in this process
  // Compares the revision, and returns kUnavailable in quarantine.
  Status may_claim();
  // To be called when everything that this host owns was found or written again, except
  // `conflicts`.
  void restored(std::vector<std::string> conflicts);
  // Ends the quarantine if restored() was called and kSettleSeconds have passed.
  Status settle();
  bool has_conflicts();
  std::vector<std::string> problems();

 private:
  Status load();
  Status compare();
  Status save();  // with guard_ held

  state::Store& shared_;
  state::Store& local_;
  const Clock clock_;
  std::mutex guard_;
  std::optional<SeenRecord> seen_;
  std::uint64_t quarantines_ = 0;
  bool is_restored_ = false;  // restored() was called since the quarantine began
  std::vector<std::string> conflicts_;
};

}  // namespace fairlead::network::cluster
