// route_localnet of a network's bridge: on while an endpoint has ports on the host's 127.0.0.1. It is
// switched on after the firewall rules that keep neighbours out were written, and off before they
// are deleted.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "network/api/driver.h"
#include "network/kernel/links/links.h"

namespace fairlead::network {

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

 private:
  bool may_shut(const Network& network) const;

  kernel::Links& links_;
  const std::string boot_id_;
};

}  // namespace fairlead::network
