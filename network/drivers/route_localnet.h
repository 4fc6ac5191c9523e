// route_localnet of a network's bridge: on while an endpoint has ports on the host's 127.0.0.1. What
// makes it harmless is the loopback guard (Links::guard_loopback), a filter of the bridge itself,
// which is there without the firewall's table and without a daemon. route_localnet is switched on
// after the guard and the rules of the firewall were written, and off before they are deleted.
#pragma once

#include <atomic>
#include <span>
#include <string>
#include <vector>

#include "network/api/driver.h"
#include "network/kernel/links/links.h"

namespace fairlead::network {

// Whether one of the endpoint's ports is published on 127.0.0.1, which includes ports published on
// every address of the host.
bool answers_on_loopback(const Network& network, const Endpoint& endpoint);

// Called under the lock of the network. `links` must outlive the object.
class RouteLocalnet {
 public:
  RouteLocalnet(kernel::Links& links, std::string boot_id)
      : links_(links), boot_id_(std::move(boot_id)) {}

  // Before the endpoint's ports are published. For somebody else's bridge the record is stored
  // first, so that after a crash it is known that the setting is Fairlead's.
  Status open(Network& network, const Endpoint& endpoint, NetworkContext& context);
  // After ports of `before` were removed and `after` has the rest. Stays on while an endpoint needs
  // it.
  Status close(Network& network, const Endpoint& before, const Endpoint& after,
               NetworkContext& context);
  // As the attached endpoints need it. Says in words what was changed.
  Result<std::vector<std::string>> mend(Network& network, std::span<const Endpoint> endpoints,
                                        NetworkContext& context);
  // Off, even if an endpoint needs it. Does not change the record.
  Status shut(const Network& network);
  // In words, when the bridge is open and nothing but the firewall keeps its neighbours out.
  std::string problem(const Network& network);

  // The same of one link that is Fairlead's own: guarded, and then opened.
  Status open_link(const kernel::Link& link);

 private:
  bool may_shut(const Network& network) const;
  Result<bool> guard(const kernel::Link& bridge);
  Result<std::vector<std::string>> mend_guard(const kernel::Link& bridge);

  kernel::Links& links_;
  const std::string boot_id_;
  std::atomic<bool> told_{false};
};

}  // namespace fairlead::network
