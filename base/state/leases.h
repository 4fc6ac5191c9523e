// Leases: records that go when nobody has heartbeat for them. A host that dies is noticed that way.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/result.h"

namespace fairlead::state {

using LeaseId = std::int64_t;  // never 0

// A store deletes the records that were put with a lease (Put::lease) in one commit when the lease
// ends. A record put again belongs to the lease of the last put only. Thread-safe.
//
// A lease lasts *at least* its time: with etcd it begins anew with each new leader, and does not
// end while there is none.
class Leases {
 public:
  virtual ~Leases() = default;

  // kUnavailable when the store does not answer; kInvalid unless 1 <= time_to_live <= 9,000,000.
  // etcd makes very short ones longer (some seconds).
  virtual Result<LeaseId> grant(std::chrono::seconds time_to_live) = 0;

  // Lets the lease last for its whole time from now. False: it is gone, and so are its records.
  virtual Result<bool> heartbeat(LeaseId lease) = 0;

  // Ends the lease now. One that is gone already is no error.
  virtual Status revoke(LeaseId lease) = 0;
};

inline constexpr std::chrono::seconds kLongestLease{9'000'000};  // of etcd

}  // namespace fairlead::state
