#include "network/service/other_firewalls.h"

#include <algorithm>

#include "base/log.h"

namespace fairlead::network {

// Lets the traffic of the networks pass other firewalls. Failures are logged and reported,
// and never make the caller fail.
void OtherFirewalls::admit(ReconcileReport* report) {
  std::vector<IfName> interfaces;
  const auto networks = context_.records.networks();
  if (!networks) return;
  for (const Network& network : *networks) {
    if (network.phase != Phase::kReady) continue;
    const FirewallLinks links = context_.firewall.links_of(network);
    interfaces.insert(interfaces.end(), links.interfaces.begin(), links.interfaces.end());
  }
  auto admitted = context_.parts.foreign_firewall.admit(interfaces);
  if (!admitted) {
    log::warn("other firewall", {{"error", admitted.error().text}});
    if (report != nullptr) report->failures.push_back(admitted.error().text);
    return;
  }
  const std::scoped_lock locked(notes_guard_);
  for (const std::string& line : *admitted)
    if (std::ranges::find(notes_, line) == notes_.end())
      log::info("other firewall", {{"action", line}});
  notes_ = std::move(*admitted);
}

std::vector<std::string> OtherFirewalls::notes() const {
  const std::scoped_lock locked(notes_guard_);
  return notes_;
}

}  // namespace fairlead::network
