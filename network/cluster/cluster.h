// The parts of the control plane on one host, which share one fence.
#pragma once

#include "network/cluster/addresses.h"
#include "network/cluster/endpoints.h"
#include "network/cluster/membership.h"
#include "network/cluster/networks.h"

namespace fairlead::network::cluster {

// The stores and the leases must outlive the object. It makes no call to them by itself.
class Cluster {
 public:
  Cluster(const MembershipParts& parts, Clock clock)
      : fence_(parts.shared, parts.local, parts.info.id, std::move(clock)),
        membership_(parts, fence_),
        networks_(parts.shared, fence_, parts.info),
        addresses_(parts.shared, parts.local, fence_),
        endpoints_(parts.shared, parts.local, fence_) {}

  Membership& membership() { return membership_; }
  Networks& networks() { return networks_; }
  Addresses& addresses() { return addresses_; }
  Endpoints& endpoints() { return endpoints_; }

 private:
  Fence fence_;
  StoreMembership membership_;
  StoreNetworks networks_;
  StoreAddresses addresses_;
  StoreEndpoints endpoints_;
};

}  // namespace fairlead::network::cluster
