// Endpoints that are to take over ports: their standbys are served by nobody, because the endpoint
// of the same container that served them has given them up.
#pragma once

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "network/service/port_claims.h"

namespace fairlead::network {

// A verb that gives up ports holds the lock of its network, and no lock is held over work on
// another one: it leaves the heirs here, and whoever has released his locks next lets them take
// over (Ports::let_heirs_take_over). What a crash loses is found by reconcile. Thread-safe.
class Heirs {
 public:
  void add(const std::vector<PortOwner>& heirs) {
    if (heirs.empty()) return;
    const std::scoped_lock hold(guard_);
    for (const PortOwner& heir : heirs)
      if (std::ranges::find(waiting_, heir) == waiting_.end()) waiting_.push_back(heir);
  }
  // Each once, in the order in which they came.
  std::vector<PortOwner> take() {
    const std::scoped_lock hold(guard_);
    return std::exchange(waiting_, {});
  }

 private:
  std::mutex guard_;
  std::vector<PortOwner> waiting_;
};

}  // namespace fairlead::network
