// Keeps this host's epoch, and when its membership was last proved. Everything that writes to the
// shared store in the host's name takes its preconditions from here, and everything that gives out
// addresses calls `check` first.
//
// Why no two hosts use the same address: a block is owned through a key that no lease can delete.
// The key is deleted either by the owner, or by `host rm`. That first raises the host's epoch and
// deletes its live key, and deletes the blocks only after the host had kFenceSeconds to see it. A
// running host reads both keys every few seconds; a host that was suspended for longer than
// kLiveSeconds finds its proof too old, and reads them before it gives out anything. One case
// remains: a host that runs, cannot reach the store and is removed nevertheless. The documentation
// of `host rm` warns of it (Membership::remove_host).
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

// How long other hosts do not get a removed host's addresses: kLiveSeconds, in which the host may
// still act on an old proof, and a margin for operations that it began in that time.
inline constexpr long long kFenceSeconds = 20;

bool is_unreachable(const Error& error);  // kUnavailable, kIo

// What a host is according to its own record in the shared store. Records of hosts are never
// deleted and their epochs only grow, so a store that has no record or a lower epoch was put back
// to an earlier state (kForgotten). `epoch` is the epoch that the host itself knows; 0, when it
// knows none, is always kMember.
enum class RecordedMembership { kMember, kRemoved, kForgotten };
RecordedMembership recorded_membership(const std::optional<Stored<HostRecord>>& host,
                                       std::uint64_t epoch);

// Thread-safe. The stores must outlive the object.
class Fence {
 public:
  Fence(state::Store& shared, state::Store& local, std::string host_id, Clock clock);

  const std::string& host_id() const { return host_id_; }
  const Clock& clock() const { return clock_; }
  StoreRollbackDetector& rollback_detector() { return rollback_detector_; }

  // Succeeds when this host may act in its own name. kConflict when it was removed, and while
  // another machine uses its id. When the proof is older than kLiveSeconds, the shared store is
  // asked; when that cannot be reached, the last answer counts.
  Status check();
  // Like check(), but always asks the shared store. To be called after a conflict, whose cause may
  // be that this host was removed.
  Status check_again();
  // Succeeds when this process may change this host's records in the shared store. It may not while
  // another machine uses the host's id, because the records would be that machine's.
  Status may_write();
  // The precondition that this host's record is unchanged, which holds only until somebody removes
  // the host. kUnavailable when this host has not joined, kConflict as in check().
  Result<std::vector<state::Precondition>> of_record();
  // The same, and that the live key that this process made is unchanged. kUnavailable also while
  // there is no such key.
  Result<std::vector<state::Precondition>> of_life();
  // The epoch of this host; 0 before it has ever joined.
  Result<std::uint64_t> epoch();

  // ---- for Membership

  struct Proof {
    std::uint64_t epoch = 0;
    std::int64_t host_revision = state::kAbsent, live_revision = state::kAbsent;
    std::chrono::milliseconds at{};  // Clock::running() before the keys were read
  };
  void prove(const Proof& proof);  // this process is the host, with these keys
  void close();                    // this host was removed
  void lose_life();
  // Another machine uses this host's id. check() and the others fail with `why` until the next
  // proof.
  void refuse(Error why);
  bool is_closed();

 private:
  Status ask();  // reads this host's record in the shared store

  state::Store& shared_;
  state::Store& local_;
  const std::string host_id_;
  const Clock clock_;
  StoreRollbackDetector rollback_detector_;
  std::mutex guard_;
  std::optional<Proof> proof_;
  std::optional<Error> refusal_;
  // Membership has proved it; a proof that ask() made from reading the record gives no right to
  // write.
  bool joined_ = false;
  bool closed_ = false;
};

}  // namespace fairlead::network::cluster
