// From whom packets of tunnels are accepted, and where this host's own tunnels end.
#pragma once

#include <functional>
#include <vector>

#include "network/service/service_context.h"

namespace fairlead::network {

class Underlay : public cluster::UnderlayGuard {
 public:
  explicit Underlay(ServiceContext& context) : context_(context) {}

  Status guard_tunnels() override;
  Status guard_underlay(const std::vector<IpAddress>& hosts,
                        const std::vector<IfName>& wireguard_links) override;
  // Stores this host's present underlay address in the network's record, if it has changed since the
  // network was made. Under the lock of the network.
  Status move_tunnel(Stored<Network>& stored);

 private:
  Status change_underlay(const std::function<void(UnderlayRecord&)>& change);

  ServiceContext& context_;
};

}  // namespace fairlead::network
