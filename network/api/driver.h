// A Driver makes one kind of network in the kernel. It acts and reports, and never writes to the
// store.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/rollback.h"
#include "network/api/types.h"

namespace fairlead::network {

// What the driver chose and the service remembers in the Network record.
struct NetworkLinks {
  IfName bridge;
  bool foreign_bridge = false;
  MacAddress bridge_mac;
  unsigned mtu = 1500;
};

struct EndpointLinks {
  MacAddress host_mac;
  IfName container_ifname;
  MacAddress container_mac;
  unsigned mtu = 1500;
};

enum class Liveness {
  kAlive,
  kGone,     // the container's namespace or the link is gone
  kWaiting,  // the link is made, but the runtime has not taken it into a container yet
};

// Called under the lock of the network, from any thread.
class Driver {
 public:
  virtual ~Driver() = default;

  // Refuses what this driver or this kernel cannot do, before anything is stored. Touches nothing.
  virtual Status validate(const NetworkSpec& spec) const = 0;
  // Decides on names, MAC and MTU of a new network. Touches nothing.
  virtual Result<NetworkLinks> plan(const Network& network) = 0;
  // Makes the network's links and addresses, or repairs what is missing. Idempotent.
  virtual Status ensure(const Network& network, Rollback& undo) = 0;
  // Removes the links that Fairlead made. Succeeds when they are gone already.
  virtual Status remove(const Network& network) = 0;

  // Makes the endpoint's link. The network's own links are made first when they are missing.
  virtual Result<EndpointLinks> attach(const Network& network, const Endpoint& endpoint,
                                       const Placement& placement, Rollback& undo) = 0;
  // Removes the link; returns as soon as it can no longer be seen or used. Succeeds when it is gone
  // already.
  virtual Status detach(const Network& network, const Endpoint& endpoint) = 0;
  virtual Status check(const Network& network, const Endpoint& endpoint, int netns_fd,
                       std::string_view ifname) = 0;
  virtual Result<Liveness> liveness(const Network& network, const Endpoint& endpoint) = 0;
  // Repairs the link of a living endpoint after its network's links were made anew. Returns whether
  // it changed anything.
  virtual Result<bool> mend(const Network& network, const Endpoint& endpoint) = 0;
  // Switches on or off what an endpoint with published ports needs on its link (hairpin mode of a
  // bridge port).
  virtual Status set_published(const Network& network, const Endpoint& endpoint,
                               bool published) = 0;
};

// The drivers of this build, by mode. Wiring fills it (network/drivers/registry.h).
using Drivers = std::map<std::string, std::unique_ptr<Driver>, std::less<>>;

}  // namespace fairlead::network
