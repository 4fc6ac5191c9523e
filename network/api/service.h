// NetworkService is the only interface to networks, endpoints and published ports; PoolService is
// the one to address pools.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network {

// What a kind of network is like, for those who make one.
struct NetworkTraits {
  enum class Scope {
    kLocal,    // on one host
    kCluster,  // the same network on all hosts that join it, made by the daemon
  };
  Scope scope = Scope::kLocal;
  // Why containers cannot publish ports, with what to do instead; empty: they can.
  std::string no_ports;
  bool macs = true;  // its containers have MAC addresses of their own
  // Its containers have their addresses alone (/32, /128): nobody else is on their links.
  bool host_prefixes = false;
};

struct PortHolder {
  PublishedPort port;
  std::string network_id, network_name, endpoint_id, container;
  std::vector<IpAddress> targets;  // the container's addresses to which the port leads
  std::string network_title{};     // title_of() the network
  ContainerNames names{};
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

enum class AddressUse { kEndpoint, kGateway, kReserved };

// Who has an address of a network, or for whom it is kept.
struct AddressLease {
  IpAddress address;
  Cidr subnet;
  std::string network_id, network_name;
  AddressUse use = AddressUse::kEndpoint;
  // For people: "container web of network shop (cni)", "gateway", "kept for container web".
  std::string holder;
  std::string endpoint_id, container;  // empty: no endpoint has it
  std::string reserved_for;            // the container for which it is kept; empty: none
  long long since = 0;                 // Unix seconds; 0: not known

  bool operator==(const AddressLease&) const = default;
};

// What CHECK compares with; what is empty or std::nullopt is not compared.
struct Expectation {
  int netns_fd = -1;  // borrowed; -1: check the host's side only
  std::string ifname;
  std::vector<Cidr> addresses;
  std::vector<Route> routes;
  std::optional<MacAddress> mac;
};

struct ValidAttachment {
  std::string container, ifname;
};

// Held by a caller that attaches or removes an endpoint, for as long as its call takes.
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

  // Of the networks with these options. kInvalid when the mode is unknown.
  virtual Result<NetworkTraits> traits(const NetworkOptions& options) = 0;

  // Creating a network that exists succeeds when all properties are the same; otherwise kConflict
  // says which differ. kExists when the subnet overlaps another network's or a route of the host.
  virtual Result<Network> create_network(const NetworkSpec& spec) = 0;
  // kNotFound when there is none; kInUse while endpoints exist (the text names them).
  virtual Status remove_network(const NetworkRef& network) = 0;
  virtual Result<Network> inspect_network(const NetworkRef& network) = 0;
  virtual Result<std::vector<NetworkUsage>> list_networks() = 0;

  // Binds a runtime's id of a network to an existing Fairlead network (option "network"), and
  // unbinds it. The network is then found by that RuntimeNetworkId. Unbinding an unknown id
  // succeeds. A network that was made for a runtime (kMadeForLabel) is removed when it is neither
  // bound nor used any more.
  virtual Result<Network> bind_network(const std::string& runtime_id,
                                       const NetworkName& network) = 0;
  virtual Status unbind_network(const std::string& runtime_id) = 0;
  virtual Result<bool> is_bound(const std::string& runtime_id) = 0;
  // Unbinds the runtime's id unless endpoints are on the network, for runtimes whose networks are there
  // for as long as containers are on them. Returns whether it is unbound now.
  virtual Result<bool> release_network(const std::string& runtime_id) = 0;
  // Asks other servers for the names that are none of the network's containers'; empty: the host's.
  virtual Status set_dns_servers(const NetworkRef& network,
                                 const std::vector<IpAddress>& servers) = 0;
  // Reserves addresses, by name, that the runtime has requested for something that is not an
  // endpoint of the network. They stay reserved until the runtime releases them.
  virtual Status reserve_addresses(const NetworkRef& network,
                                   const std::map<std::string, IpAddress>& addresses) = 0;

  // Keeps the address for the container of that name, or no longer: on this network an endpoint of the
  // container gets it, and no other does. What is as it was asked for succeeds. kExists names who has
  // the address; kUnsupported where the addresses are given by others.
  virtual Result<Network> reserve(const NetworkRef& network, const Reservation& reservation) = 0;
  virtual Result<Network> unreserve(const NetworkRef& network, const IpAddress& address) = 0;

  // The addresses that are taken, of one network or of all, in their order.
  virtual Result<std::vector<AddressLease>> list_leases(
      const std::optional<NetworkRef>& network) = 0;
  // Frees an address. kInUse while a container that runs or is starting has it, unless `force`, which
  // removes its endpoint as well; and for gateways and what is kept by name. kNotFound when it is free.
  virtual Status release_lease(const IpAddress& address, bool force) = 0;
  // Whether an endpoint like this would get addresses now. kExhausted says where there are none.
  virtual Status check_room(const EndpointSpec& spec) = 0;

  // Calls about one endpoint that must not overtake each other hold its turn from beginning to end,
  // in all processes: for example an attach whose caller has given up, and the removal that follows
  // it. No verb takes the turn by itself. kUnavailable when the call before takes too long.
  virtual Result<Turn> take_turn(const std::string& endpoint_id) = 0;

  // Reserves an endpoint with its addresses and MAC, without a link or ports. kExists when the id
  // is used with other properties.
  virtual Result<Endpoint> create_endpoint(const EndpointSpec& spec) = 0;
  // Makes the endpoint's link. kExists when it is joined already.
  virtual Result<Attachment> join(const EndpointRef& endpoint, const Placement& placement) = 0;
  // create_endpoint, join and publish in one go, with one intent, one firewall transaction and one
  // result.
  virtual Result<Attachment> attach(const EndpointSpec& spec, const Placement& placement) = 0;
  // Gives an endpoint of AddressSource::kPlugin, which attach() has made without addresses, the
  // addresses that another program has chosen, and publishes its ports. kInUse as publish(); kExists when it has some already, or when another
  // endpoint has one of them in a network whose addresses are Fairlead's. After a failure the endpoint
  // is good for nothing but its removal.
  virtual Result<Attachment> give_addresses(const EndpointRef& endpoint,
                                            const GivenAddresses& given,
                                            const IntoNetns& inside) = 0;
  // Removes ports and link; the endpoint stays reserved. Succeeds for unknown endpoints.
  virtual Status leave(const EndpointRef& endpoint) = 0;
  // Removes everything: ports, link, addresses (if they are Fairlead's) and record. Succeeds for
  // unknown endpoints and networks.
  virtual Status remove_endpoint(const EndpointRef& endpoint) = 0;

  // Replaces the published ports of the endpoint by `ports`, all or nothing. kInUse when a host
  // port is taken: the text names the holder.
  virtual Result<std::vector<PublishedPort>> publish(const EndpointRef& endpoint,
                                                     std::span<const PortSpec> ports) = 0;
  virtual Status unpublish(const EndpointRef& endpoint) = 0;
  // Removes and adds ports of the endpoint, all or nothing, and returns all that it has then. Two
  // changes at once are both made. Adding a port that is there as it is asked for succeeds, and so
  // does removing one that is not there.
  virtual Result<std::vector<PublishedPort>> change_ports(const EndpointRef& endpoint,
                                                          const PortChange& change) = 0;

  virtual Result<Endpoint> inspect_endpoint(const EndpointRef& endpoint) = 0;
  // The endpoints of one network, or all of them.
  virtual Result<std::vector<Endpoint>> list_endpoints(
      const std::optional<NetworkRef>& network) = 0;
  virtual Result<std::vector<PortHolder>> list_ports() = 0;

  // Checks that the endpoint is as it was made. The error is the first difference found.
  virtual Status check(const EndpointRef& endpoint, const Expectation& expected) = 0;
  // Removes every endpoint of `runtime` on the network that is not in `valid`, and goes on after
  // errors (reported together). Returns how many were removed.
  virtual Result<std::size_t> collect(const NetworkRef& network, const std::string& runtime,
                                      std::span<const ValidAttachment> valid) = 0;

  // Labels by which policies select the endpoint, instead of those that it has. kNotFound without it.
  virtual Status set_endpoint_labels(const EndpointRef& endpoint,
                                     const std::map<std::string, std::string>& labels) = 0;

  // Adds the policy; one that is there already is returned as it is. With `dry_run` nothing is changed, and
  // the id is empty. Bare names are looked up: kNotFound and kInvalid say what was meant perhaps.
  virtual Result<Policy> add_policy(const PolicySpec& spec, bool dry_run) = 0;
  virtual Result<std::vector<Policy>> list_policies() = 0;
  virtual Result<Policy> inspect_policy(const std::string& id) = 0;
  virtual Status remove_policy(const std::string& id) = 0;

  virtual Result<ServiceStatus> status() = 0;
  // Makes the kernel follow the store: bridges, ruleset, other firewalls, dead endpoints, void
  // records.
  virtual Result<ReconcileReport> reconcile() = 0;
};

struct PoolRequest {
  std::optional<Cidr> subnet;  // std::nullopt: choose a free one
  Family family = Family::kV4;
  std::optional<unsigned> prefix_length;  // the size that is asked for when `subnet` is not given
  std::optional<Cidr> range;
  std::optional<NetworkName> join;  // option "network": the pool of that Fairlead network
};

struct Pool {
  std::string id;  // stable, printable: the subnet's text
  Cidr subnet;
  std::optional<Cidr> range;
  std::optional<IpAddress> gateway;  // of a joined network, which has one already
};

// Address pools for runtimes that ask for pools and addresses themselves (Docker's IpamDriver).
// Pools never overlap each other, nor (when chosen) a route or a name server of the host.
class PoolService {
 public:
  virtual ~PoolService() = default;

  // kExists names the holder of an overlapping pool; a pool that no network uses yet is granted
  // again (a retry).
  virtual Result<Pool> request_pool(const PoolRequest& request) = 0;
  virtual Status release_pool(const std::string& pool_id) = 0;  // unknown: succeeds
  // With `wanted`, gives exactly that address, which must be inside the subnet but not necessarily
  // inside the range; kExists when it is taken. The gateway may be requested again and is then the
  // same. An address for an endpoint belongs to the endpoint once create_endpoint has named it;
  // until then it belongs to nobody, and in the pool of a network it is free again after a minute.
  virtual Result<Cidr> request_address(const std::string& pool_id, std::optional<IpAddress> wanted,
                                       AddressUse use) = 0;
  // Succeeds for unknown addresses. The address of an existing endpoint is not released.
  virtual Status release_address(const std::string& pool_id, const IpAddress& address) = 0;
};

}  // namespace fairlead::network
