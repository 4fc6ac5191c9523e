// A store in the memory of the process, for tests.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/state/leases.h"
#include "base/state/store.h"
#include "base/state/txn.h"

namespace fairlead::state {

// It has leases. A lease whose time has passed by the injected clock ends at the next use of the
// store.
class MemoryStore : public Store, public Leases {
 public:
  // Ends a lease before its time, as if its holder had sent no heartbeats.
  virtual void expire(LeaseId lease) = 0;
};

using LeaseClock = std::function<std::chrono::steady_clock::time_point()>;

// Remembers the last `remembered` commits for watches.
std::unique_ptr<MemoryStore> make_memory_store(
    std::int64_t remembered = kRememberedCommits,
    LeaseClock clock = [] { return std::chrono::steady_clock::now(); });

}  // namespace fairlead::state
