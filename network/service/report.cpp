#include "network/service/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "network/service/service_context.h"

namespace fairlead::network {

void note(ReconcileReport& report, std::string action) {
  log::info("reconcile", {{"action", action}});
  report.actions.push_back(std::move(action));
}

void note_failure(ReconcileReport& report, std::string_view what, const Error& error) {
  log::error("reconcile", {{"object", what}, {"error", error.text}});
  report.failures.push_back(fmt::format("{}: {}", what, error.text));
}

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string listed(std::string_view one, std::string_view many, std::vector<std::string> names) {
  constexpr std::size_t kMost = 5;
  if (names.size() == 1) return fmt::format("{} {}", one, names.front());
  const std::string more =
      names.size() > kMost ? fmt::format(" and {} more", names.size() - kMost) : "";
  names.resize(std::min(names.size(), kMost));
  return fmt::format("{} {}{}", many, fmt::join(names, ", "), more);
}

std::string name_of(const Network& network, const Endpoint& endpoint) {
  return fmt::format("endpoint {} of network {}", short_name_of(endpoint), network.name.str());
}

}  // namespace fairlead::network
