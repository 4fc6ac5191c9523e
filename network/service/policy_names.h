// Names of the DNS in policies. Each has a record of the addresses that it had, from which the elements are
// made: without a server, or without the daemon, the last known ones stay.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "network/service/service_context.h"

namespace fairlead::network {

// Thread-safe.
class PolicyNames {
 public:
  explicit PolicyNames(ServiceContext& context) : context_(context) {}

  // Asks for the names whose time has come, and changes records and elements. No lock is held while servers are
  // asked. Does nothing without a resolver. Returns the names that are not known.
  Result<std::vector<std::string>> refresh();

 private:
  Result<std::vector<std::string>> wanted();
  Status ask(const std::string& name, std::vector<std::string>& unknown, bool& changed);
  Status drop_unused(bool& changed);

  ServiceContext& context_;
};

}  // namespace fairlead::network
