// The host's other interfaces, as far as published ports have to know of them.
#pragma once

#include <string>
#include <vector>

#include "network/service/service_context.h"

namespace fairlead::network {

// Thread-safe.
class Surroundings {
 public:
  explicit Surroundings(ServiceContext& context) : context_(context) {}

  // Looks at the host, and makes the record, the firewall's elements and the routing rules of answers
  // follow. Without a network that leads out there are none. Returns whether anything was changed.
  // Takes the lock of the underlay.
  Result<bool> refresh();
  // The same where a failure must not fail what was asked for: it is logged.
  void try_refresh();

  // For status(): by which ways answers leave, and what is wrong with them.
  Result<std::vector<std::string>> notes();
  Result<std::vector<std::string>> problems();

 private:
  Status record(const SurroundingsRecord& before, const SurroundingsRecord& after);
  Status forget(const SurroundingsRecord& before);

  ServiceContext& context_;
};

}  // namespace fairlead::network
