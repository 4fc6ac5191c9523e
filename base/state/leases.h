// Leases: records that the store deletes when their owner stops sending heartbeats. That is how the
// death of a host is noticed.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/result.h"

namespace fairlead::state {

using LeaseId = std::int64_t;  // never 0

// A store deletes the records that were put with a lease (Put::lease) in one commit when the lease
// ends. A record that is put again belongs to the lease of the last put only. Thread-safe.
//
// A lease lasts *at least* its time: in etcd the time begins anew with each new leader, and a lease
// does not end while there is no leader.
class Leases {
 public:
  virtual ~Leases() = default;

  // kUnavailable when the store does not answer; kInvalid unless 1 <= time_to_live <= 9,000,000.
  // etcd lengthens very short leases to some seconds.
  virtual Result<LeaseId> grant(std::chrono::seconds time_to_live) = 0;

  // Starts the lease's time anew. Returns false when the lease is gone, and its records with it.
  virtual Result<bool> heartbeat(LeaseId lease) = 0;

  // Ends the lease now. Succeeds when it is gone already.
  virtual Status revoke(LeaseId lease) = 0;
};

inline constexpr std::chrono::seconds kLongestLease{9'000'000};  // etcd's limit

}  // namespace fairlead::state
