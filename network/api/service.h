// NetworkService: the only door to networks, endpoints and published ports; PoolService: the door
// to address pools.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network {

struct PortHolder {
  PublishedPort port;
  std::string network_id, network_name, endpoint_id, container;
  std::vector<IpAddress> targets;  // the container's addresses the port leads to
};

struct NetworkUsage {
  Network network;
  std::size_t endpoints = 0;
};

struct ServiceStatus {
  std::size_t networks = 0, endpoints = 0, ports = 0, leases = 0, pools = 0;
  std::vector<std::string> problems;  // in words, with a hint; empty when all is well
  std::vector<std::string> notes;     // what Fairlead did about other firewalls, forwarding, ...
};

// What CHECK compares with: nothing = do not compare.
struct Expectation {
  int netns_fd = -1;  // borrowed; -1: look at the host's side only
  std::string ifname;
  std::vector<Cidr> addresses;
  std::vector<Route> routes;
  std::optional<MacAddress> mac;
};

struct ValidAttachment {
  std::string container, ifname;
};

// Held by who attaches or removes an endpoint, for as long as the call takes.
using Turn = std::shared_ptr<const void>;

// What one reconcile changed, for the log and for `fairlead reconcile`.
struct ReconcileReport {
  std::vector<std::string> actions;  // "created bridge fl-12ab again", in order
  std::vector<std::string> failures;
};

// Thread-safe; several processes may work on the same state at once. Every verb is idempotent,
// takes the lock of its network (waiting up to its deadline, then kUnavailable), commits its intent
// before it touches the kernel, and leaves nothing behind when it fails.
class NetworkService {
 public:
  virtual ~NetworkService() = default;

  // The same name (or id) with the same properties again succeeds; with others it is kConflict and
  // says which differ. kExists when the subnet overlaps another network's or a route of the host.
  virtual Result<Network> create_network(const NetworkSpec& spec) = 0;
  // kNotFound when there is none; kInUse while endpoints exist (the text names them).
  virtual Status remove_network(const NetworkRef& network) = 0;
  virtual Result<Network> inspect_network(const NetworkRef& network) = 0;
  virtual Result<std::vector<NetworkUsage>> list_networks() = 0;

  // Binds a runtime's id of a network to an existing Fairlead network (option "network"), and
  // unbinds it. A runtime's id is then a valid NetworkRef. unbind of an unknown id succeeds. A
  // network that was made for a runtime (kMadeForLabel) and is neither bound nor used any more
  // goes.
  virtual Result<Network> bind_network(const std::string& runtime_id,
                                       const NetworkName& network) = 0;
  virtual Status unbind_network(const std::string& runtime_id) = 0;
  virtual Result<bool> is_bound(const std::string& runtime_id) = 0;
  // Sets addresses aside, by name, that the runtime has requested for something that is no endpoint
  // of the network. They stay so until it releases them.
  virtual Status reserve_addresses(const NetworkRef& network,
                                   const std::map<std::string, IpAddress>& addresses) = 0;

  // Calls about one endpoint that must not overtake each other, as an attach whose caller has given
  // up and the removal that follows it, take turns: in all processes, each from its beginning to
  // its end. No verb takes the turn by itself. kUnavailable when the one before takes too long.
  virtual Result<Turn> take_turn(const std::string& endpoint_id) = 0;

  // Reserves an endpoint: addresses, MAC; no link yet and no ports. kExists when the id is there
  // with other properties.
  virtual Result<Endpoint> create_endpoint(const EndpointSpec& spec) = 0;
  // Makes the endpoint's link. Joining what is joined already is kExists.
  virtual Result<Attachment> join(const EndpointRef& endpoint, const Placement& placement) = 0;
  // create_endpoint, join and publish in one go, with one intent, one firewall transaction and one
  // result.
  virtual Result<Attachment> attach(const EndpointSpec& spec, const Placement& placement) = 0;
  // Takes away ports and link; the endpoint stays reserved. Unknown endpoints succeed.
  virtual Status leave(const EndpointRef& endpoint) = 0;
  // Takes away everything: ports, link, addresses (if Fairlead's), record. Unknown endpoints and
  // networks succeed.
  virtual Status remove_endpoint(const EndpointRef& endpoint) = 0;

  // Replaces the published ports of the endpoint by `ports`, all or nothing. kInUse when a host
  // port is taken: the text names the holder.
  virtual Result<std::vector<PublishedPort>> publish(const EndpointRef& endpoint,
                                                     std::span<const PortSpec> ports) = 0;
  virtual Status unpublish(const EndpointRef& endpoint) = 0;

  virtual Result<Endpoint> inspect_endpoint(const EndpointRef& endpoint) = 0;
  // All endpoints, or those of one network when `network.text` is not empty.
  virtual Result<std::vector<Endpoint>> list_endpoints(const NetworkRef& network) = 0;
  virtual Result<std::vector<PortHolder>> list_ports() = 0;

  // Is the endpoint as it was made? The first difference found is the error.
  virtual Status check(const EndpointRef& endpoint, const Expectation& expected) = 0;
  // Removes every endpoint of `runtime` on the network that is not in `valid`, and goes on after
  // errors (reported together). Returns how many were removed.
  virtual Result<std::size_t> collect(const NetworkRef& network, const std::string& runtime,
                                      std::span<const ValidAttachment> valid) = 0;

  virtual Result<ServiceStatus> status() = 0;
  // Makes the kernel follow the store: bridges, ruleset, other firewalls, dead endpoints, void
  // records.
  virtual Result<ReconcileReport> reconcile() = 0;
};

struct PoolRequest {
  std::optional<Cidr> subnet;  // nothing: choose a free one
  Family family = Family::kV4;
  std::optional<unsigned> prefix_length;  // size request, when `subnet` is not given
  std::optional<Cidr> range;
  std::optional<NetworkName> join;  // option "network": the pool of that Fairlead network
};

struct Pool {
  std::string id;  // stable, printable: the subnet's text
  Cidr subnet;
  std::optional<Cidr> range;
  std::optional<IpAddress> gateway;  // of a joined network: already given
};

enum class AddressUse { kEndpoint, kGateway, kReserved };

// Address pools for runtimes that ask for pools and addresses themselves (Docker's IpamDriver).
// Pools never overlap each other, nor (when chosen) a route or a name server of the host.
class PoolService {
 public:
  virtual ~PoolService() = default;

  // kExists names the holder of an overlapping pool; a pool that no network uses yet is granted
  // again (a retry).
  virtual Result<Pool> request_pool(const PoolRequest& request) = 0;
  virtual Status release_pool(const std::string& pool_id) = 0;  // unknown: succeeds
  // `wanted`: exactly that address, inside the subnet but not necessarily inside the range; kExists
  // when it is taken. The gateway may be asked for again and is then the same. An address for an
  // endpoint is the endpoint's from create_endpoint on, which names it; in the pool of a network it
  // is nobody's without one, and free after a minute.
  virtual Result<Cidr> request_address(const std::string& pool_id, std::optional<IpAddress> wanted,
                                       AddressUse use) = 0;
  // Unknown addresses succeed. That of an endpoint that is in use stays the endpoint's.
  virtual Status release_address(const std::string& pool_id, const IpAddress& address) = 0;
};

}  // namespace fairlead::network
