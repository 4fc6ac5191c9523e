// What this host may rely on: its epoch, and until when that was proved. Everything that writes to
// the shared store in the host's name takes its preconditions from here, and everything that gives
// out addresses asks `check` first.
//
// Why addresses are safe: a block is owned through a key that no lease can delete. It goes away by
// the owner's own act, or by `host rm`, which raises the host's epoch and deletes its live key
// first, and the blocks only after the host had kFenceSeconds to see it. A host that is running
// reads both keys every few seconds; one that was paused longer than kLiveSeconds finds its proof
// too old and reads them before it gives out anything. Left is a host that runs, cannot reach the
// store and is removed all the same: that is said where an operator asks for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/state/store.h"
#include "network/cluster/clock.h"
#include "network/cluster/records.h"
#include "network/cluster/store_rollback.h"

namespace fairlead::network::cluster {

// How long a removed host's addresses are kept from others: kLiveSeconds, in which it may still act
// on an old proof, and a margin for what it had begun then.
inline constexpr long long kFenceSeconds = 20;

bool is_unreachable(const Error& error);  // kUnavailable, kIo

// What a host's record in the shared store says to that host. Records of hosts are never deleted
// and their epochs only grow: a store that knows less than the host itself was put back to an
// earlier state. `epoch`: as the host knows it; 0: it knows nothing.
enum class Word { kMember, kRemoved, kForgotten };
Word word_of(const std::optional<Stored<HostRecord>>& host, std::uint64_t epoch);

// Thread-safe. The stores must outlive it.
class Fence {
 public:
  Fence(state::Store& shared, state::Store& local, std::string host_id, Clock clock);

  const std::string& host_id() const { return host_id_; }
  const Clock& clock() const { return clock_; }
  StoreRollbackDetector& rollback_detector() { return rollback_detector_; }

  // May this host act in its own name? kConflict when it was removed, and while another machine
  // lives under its id. When the proof is old, the shared store is asked; when that cannot be
  // reached, the last word stands.
  Status check();
  // The same, and asks in any case: after a conflict, which may be that this host was removed.
  Status check_again();
  // May this process change what the shared store says is this host's? Not while another machine
  // lives under its id: then it would be that one's.
  Status may_write();
  // Preconditions that only hold while nobody removed this host: its record. kUnavailable when it
  // has not joined, kConflict as check().
  Result<std::vector<state::Precondition>> of_record();
  // The same and its live key, with this process' nonce.
  Result<std::vector<state::Precondition>> of_life();
  // Of this host; 0 before it ever joined.
  Result<std::uint64_t> epoch();

  // ---- for Membership

  struct Proof {
    std::uint64_t epoch = 0;
    std::int64_t host_revision = state::kAbsent, live_revision = state::kAbsent;
    std::chrono::milliseconds at{};  // the clock before the keys were read
  };
  void prove(const Proof& proof);  // this process is the host
  void close();                    // this host was removed
  void lose_life();
  // Another machine lives under this host's id, as `why` says: until the next proof.
  void refuse(Error why);
  bool is_closed();

 private:
  Status ask();  // reads the host's record

  state::Store& shared_;
  state::Store& local_;
  const std::string host_id_;
  const Clock clock_;
  StoreRollbackDetector rollback_detector_;
  std::mutex guard_;
  std::optional<Proof> proof_;
  std::optional<Error> refusal_;
  bool joined_ = false;  // Membership has proved it; what was merely read proves no right to write
  bool closed_ = false;
};

}  // namespace fairlead::network::cluster
