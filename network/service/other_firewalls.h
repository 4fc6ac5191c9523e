// Lets the traffic of the networks pass the host's other firewalls.
#pragma once

#include <mutex>
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
  // What is in place in other firewalls, in words.
  std::vector<std::string> notes() const;

 private:
  ServiceContext& context_;
  mutable std::mutex notes_guard_;
  std::vector<std::string> notes_;
};

}  // namespace fairlead::network
