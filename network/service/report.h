// What a reconcile did, said in the log and in its report.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "network/api/service.h"

namespace fairlead::network {

void note(ReconcileReport& report, std::string action);
void note_failure(ReconcileReport& report, std::string_view what, const Error& error);

std::string counted(std::size_t count, std::string_view what);  // "1 lease", "2 leases"
// "addresses 10.0.0.2, 10.0.0.3": at most five by name.
std::string listed(std::string_view one, std::string_view many, std::vector<std::string> names);
std::string name_of(const Network& network, const Endpoint& endpoint);

}  // namespace fairlead::network
