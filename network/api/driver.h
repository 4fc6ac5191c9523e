// A Driver makes one kind of network in the kernel. It acts and reports, and never writes to the
// store.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/rollback.h"
#include "network/api/service.h"
#include "network/api/types.h"

namespace fairlead::network {

// What the driver decides about a new network.
struct NetworkPlan {
  DriverRecord links;
  unsigned mtu = 1500;
};

struct EndpointLinks {
  std::vector<HostLink> host_links;  // from the network's to the container's
  IfName container_ifname;
  MacAddress container_mac;
  unsigned mtu = 1500;
  // The routes in the container, when they are not those of container_routes(): beside another
  // network of its a default route has a metric.
  std::vector<Route> routes{};
};

enum class Liveness {
  kAlive,
  kGone,     // the container's namespace or the link is gone
  kWaiting,  // the link is made, but the runtime has not taken it into a container yet
};

// What the firewall has to know of a network.
struct FirewallLinks {
  struct Tunnel {
    std::uint32_t vni = 0;
    std::uint16_t port = 0;  // UDP
    bool encrypted = false;
  };
  // The interfaces of the host through which the network's packets pass. Without one, its packets
  // do not pass the host's firewall, and the network has no elements in it.
  std::vector<IfName> interfaces;
  bool routed = false;  // they are how the names of interfaces begin that have a container each
  bool shared = false;  // the interfaces are also others', who are not Fairlead's to rule
  std::vector<Tunnel> tunnels;
};

// A link that a driver has made, of whatever network and store. The alias has the store's mark, if
// there is one (store_mark.h).
struct MadeLink {
  IfName name;
  std::string alias;
};

// What a driver may ask for while it works on a network.
class NetworkContext {
 public:
  virtual ~NetworkContext() = default;
  // Stores the network's `links` before the driver goes on, so that they are known after a crash.
  virtual Status remember(const Network& network) = 0;
  // Whether the network has an attached endpoint with published ports for which `fits` is true.
  virtual Result<bool> any_publisher(const Network& network,
                                     const std::function<bool(const Endpoint&)>& fits) = 0;
};

// Called under the lock of the network, from any thread. A method that gets a network by mutable
// reference may change its `links`; the caller stores the network then.
class Driver {
 public:
  virtual ~Driver() = default;

  virtual NetworkTraits traits() const = 0;

  // Refuses what this driver or this kernel cannot do, before anything is stored. Touches nothing.
  virtual Status validate(const NetworkSpec& spec) const = 0;
  // Decides on names, MAC and MTU of a new network. kExists when it would need what one of `others`,
  // the networks of this host with whatever drivers, has for itself. Touches nothing.
  virtual Result<NetworkPlan> plan(const Network& network, std::span<const Network> others) = 0;
  // Whether the network's subnets may be those of a network to which the host is connected.
  virtual bool is_on_host_network(const Network& network) const = 0;
  // What the firewall has to know of the network.
  virtual FirewallLinks firewall_links(const Network& network) const = 0;

  // The network's gateways that are addresses of this host.
  virtual std::vector<IpAddress> own_gateways(const Network&) const { return {}; }

  // Makes the network's links and addresses, or repairs what is missing. Idempotent.
  virtual Status ensure(Network& network, Rollback& undo) = 0;
  // The links that ensure() would make, in words: "bridge fl-12ab".
  virtual std::vector<std::string> missing(const Network& network) = 0;
  // What the network lacks that the driver cannot make, in words; empty: nothing.
  virtual std::string problem(const Network&) { return {}; }
  // Removes the links that Fairlead made. Succeeds when they are gone already.
  virtual Status remove(const Network& network) = 0;

  // Decides on the names of a new endpoint's links. Touches nothing.
  virtual Result<DriverRecord> plan_endpoint(const Network& network,
                                             const Endpoint& endpoint) const = 0;
  // Why the network's containers cannot publish ports; empty: they can.
  virtual std::string why_no_ports(const Network&) const { return traits().no_ports; }
  // The host's interface through which all that the endpoint sends enters a bridge, if there is one.
  virtual std::optional<IfName> bridge_port(const Endpoint&) const { return std::nullopt; }
  // The host's interface that leads to the endpoint alone, without a bridge, if there is one.
  virtual std::optional<IfName> routed_link(const Endpoint&) const { return std::nullopt; }
  // Makes the endpoint's link, ready for its published ports. The network's own links are made first
  // when they are missing.
  virtual Result<EndpointLinks> attach(Network& network, const Endpoint& endpoint,
                                       const Placement& placement, NetworkContext& context,
                                       Rollback& undo) = 0;
  // Gives the interface of an attached endpoint, which had no addresses, those that the endpoint has
  // now. Returns what attach() would. A driver may make the link anew.
  virtual Result<EndpointLinks> give_addresses(Network& network, const Endpoint& endpoint,
                                               const IntoNetns& inside, NetworkContext& context,
                                               Rollback& undo) = 0;
  // Removes the link; returns as soon as it can no longer be seen or used. Succeeds when it is gone
  // already.
  virtual Status detach(const Network& network, const Endpoint& endpoint) = 0;
  virtual Status check(const Network& network, const Endpoint& endpoint, int netns_fd,
                       std::string_view ifname) = 0;
  // What attach() returned for an endpoint that is attached to this interface. Fails as check() does.
  virtual Result<EndpointLinks> attached_links(const Network& network, const Endpoint& endpoint,
                                               const IntoNetns& inside) = 0;
  virtual Result<Liveness> liveness(const Network& network, const Endpoint& endpoint) = 0;
  // Repairs the link of a living endpoint after its network's links were made anew. Returns whether
  // it changed anything.
  virtual Result<bool> mend(const Network& network, const Endpoint& endpoint) = 0;

  // What the ports of an attached endpoint need of its network's and its own links: before the
  // firewall's elements of `after` are added, and after those that only `before` had were removed.
  // `after` is not joined when the endpoint's link is about to be removed.
  virtual Status open_ports(Network&, const Endpoint& /*after*/, NetworkContext&) { return {}; }
  virtual Status close_ports(Network&, const Endpoint& /*before*/, const Endpoint& /*after*/,
                             NetworkContext&) {
    return {};
  }
  // Makes this right again for the attached endpoints of the network. Returns what it did, in words.
  virtual Result<std::vector<std::string>> mend_ports(Network&, std::span<const Endpoint>,
                                                      NetworkContext&) {
    return std::vector<std::string>();
  }
  // Takes back what was done for published ports, also when endpoints still need it: the firewall
  // that protects it is about to go.
  virtual Status shut_ports(const Network&) { return {}; }

  // All links of this driver's kind that are there, and those that the records name. A link that is
  // there and that no record names was left by a crash.
  virtual Result<std::vector<MadeLink>> list_links() = 0;
  virtual std::vector<IfName> links_of(const Network& network) const = 0;
  virtual std::vector<IfName> links_of(const Endpoint& endpoint) const = 0;
  virtual Status remove_link(const IfName& name) = 0;
};

// The drivers of this build, by mode. Wiring fills it (network/drivers/registry.h).
using Drivers = std::map<std::string, std::unique_ptr<Driver>, std::less<>>;

}  // namespace fairlead::network
