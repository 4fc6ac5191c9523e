#include "network/service/other_firewalls.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace fairlead::network {

namespace {

bool holds(const std::vector<std::string>& lines, const std::string& line) {
  return std::ranges::find(lines, line) != lines.end();
}

}  // namespace

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
  const std::scoped_lock locked(guard_);
  const kernel::ForeignReport before = told_.value_or(kernel::ForeignReport());
  for (const std::string& line : admitted->notes)
    if (!holds(before.notes, line)) log::info("other firewall", {{"action", line}});
  for (const std::string& line : admitted->problems)
    if (!holds(before.problems, line)) log::warn("other firewall", {{"problem", line}});
  told_ = std::move(*admitted);
  withdrawn_ = false;
}

void OtherFirewalls::admit_if_changed() {
  if (!context_.parts.hears_of_firewalls && context_.parts.foreign_firewall.changed())
    admit(nullptr);
}

Status OtherFirewalls::withdraw_left_overs() {
  {
    const std::scoped_lock locked(guard_);
    told_.reset();
    if (std::exchange(withdrawn_, true)) return {};
  }
  return context_.parts.foreign_firewall.withdraw();
}

kernel::ForeignReport OtherFirewalls::told() {
  const std::scoped_lock locked(guard_);
  if (told_) return *told_;
  auto seen = context_.parts.foreign_firewall.look();
  return seen ? std::move(*seen) : kernel::ForeignReport{.problems = {seen.error().text}};
}

}  // namespace fairlead::network
