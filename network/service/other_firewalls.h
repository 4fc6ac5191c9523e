// Lets the traffic of the networks pass the host's other firewalls.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "network/service/service_context.h"

namespace fairlead::network {

// Thread-safe.
class OtherFirewalls {
 public:
  explicit OtherFirewalls(ServiceContext& context) : context_(context) {}

  // Failures are logged and reported, and never make the caller fail. `report` may be nullptr.
  void admit(ReconcileReport* report);
  // As admit(), when their rules may have changed since. For the attach of an endpoint, in processes
  // that do not hear of such changes; others need not call it.
  void admit_if_changed();
  // Where there are no networks: takes away what a process that was killed has left. Does nothing
  // when it was done since the last admit().
  Status withdraw_left_overs();
  // What is in place in other firewalls, and what is in the way, in words.
  kernel::ForeignReport told();

 private:
  ServiceContext& context_;
  std::mutex guard_;
  std::optional<kernel::ForeignReport> told_;  // of the last admit()
  bool withdrawn_ = false;
};

}  // namespace fairlead::network
