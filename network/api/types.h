// The values of Fairlead's networks, to and from which the protocols are translated. Nothing here
// knows JSON, the kernel or the store.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/ip.h"
#include "base/names.h"
#include "network/api/policy.h"

namespace fairlead::network {

// ---- options (the same under every protocol; parsed by options.h)

enum class GatewayMode {
  kNat,             // masquerade out, published ports in, nothing else in
  kNatUnprotected,  // masquerade out; every port of a container may be reached by routing
  kRouted,          // no NAT; only published ports may be reached by routing
  kIsolated,        // no gateway address on the bridge (needs an internal network)
};

struct Rates {
  std::uint64_t in_bits = 0;        // towards the container, bits per second; 0 = unlimited
  std::uint64_t out_bits = 0;       // from the container
  std::uint64_t in_burst_bits = 0;  // 0 = a sane default for the rate
  std::uint64_t out_burst_bits = 0;

  bool operator==(const Rates&) const = default;
};

// What a container may send.
enum class Spoofing {
  kDeny,   // under its own MAC and IP addresses only
  kAllow,  // anything: it is a router, or answers for others
};
std::string_view to_string(Spoofing spoofing);  // "deny", "allow"

// Through which interfaces a port that is published on one address of the host is reached (RFC 1122
// section 3.3.4.2).
enum class HostModel {
  kStrong,  // through the one that has the address
  kWeak,    // through every one
};
std::string_view to_string(HostModel model);  // "strict", "any"

// How the names of the host's ends of containers' links begin. The firewall, network managers and other
// programs know whose a link is by it, so that it cannot be any text.
enum class HostPrefix {
  kFairlead,  // "fl": flh and flr
  kVeth,      // "veth": vethfl- and vethfr-, for programs that look for veth*
};
std::string_view to_string(HostPrefix prefix);

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  bool operator==(const PortRange&) const = default;
};
// What of a network's containers may leave it.
enum class Egress {
  kAllow,  // everything
  kDeny,   // what policies allow
};
std::string_view to_string(Egress egress);  // "allow", "deny"

struct NetworkOptions {
  std::string mode = "bridge";   // names the driver in the registry
  std::optional<IfName> bridge;  // default: "fl-" + the first 12 digits of the network's id
  std::optional<unsigned>
      mtu;                 // bytes, 68 to 65535; default: that of the default route's interface
  bool icc = true;         // containers of the network may talk to each other
  bool encrypted = false;  // mode=overlay: nothing leaves a host in the clear
  bool masquerade = true;
  // The addresses under which the network leaves the host, in place of that of the interface, and
  // the ports of IPv4's.
  std::optional<IpAddress> snat_v4;
  std::optional<IpAddress> snat_v6;
  std::optional<PortRange> snat_ports;
  std::vector<Cidr> masquerade_exclude;  // destinations that see the containers' own addresses
  bool inhibit_ipv4 = false;             // the bridge has no IPv4 address
  // Requests alone, of which no record is kept: they are `ipv6` and `subnets` of a NetworkSpec.
  std::optional<bool> enable_ipv4;
  std::optional<bool> enable_ipv6;
  GatewayMode gateway_mode_v4 = GatewayMode::kNat;
  GatewayMode gateway_mode_v6 = GatewayMode::kNat;
  std::optional<IpAddress> host_ip_v4;  // default host address of published ports
  std::optional<IpAddress> host_ip_v6;
  // Ports are also published on addresses that the host does not have yet.
  bool host_ip_missing = false;
  Spoofing spoofing = Spoofing::kDeny;
  HostModel publish = HostModel::kStrong;
  // Of published ports that say nothing: connections at once to each; 0 = any number.
  std::uint32_t port_max_connections = 0;
  // The interfaces of the host from which every port of the network's containers may be reached.
  std::vector<IfName> trusted_interfaces;
  // Containers of an internal network, or of one with egress=deny, reach services of the host.
  bool host_access = false;
  Egress egress = Egress::kAllow;
  std::vector<EgressRule> egress_allow;  // what containers reach all the same
  // Names of its containers are answered at its gateways.
  bool dns = true;
  // What its containers ask the host's own name servers is answered there as well.
  bool dns_intercept = true;
  std::string dns_domain;  // NAME.dns_domain, and the containers' search list; in lower case
  std::vector<IpAddress> dns_servers;  // that are asked for all other names; empty: the host's
  std::string ifname_prefix = "eth";
  HostPrefix host_interface_prefix = HostPrefix::kFairlead;
  // Mode bridge: the VLAN of the bridge that the network is, 1 to 4094.
  std::optional<std::uint16_t> vlan;
  std::optional<IfName> parent;  // the host's interface, for modes without a bridge
  // Mode host-device: what finds the interface, in place of its name.
  std::optional<MacAddress> parent_mac;
  std::optional<std::string> parent_pci;  // "0000:03:00.1"
  std::optional<NetworkName> join;        // option "network": the existing Fairlead network to join
  Rates rates;                            // of each endpoint
  // The driver's own: those whose names begin with that of the mode and "_", as macvlan_mode does.
  // The driver parses them.
  std::map<std::string, std::string> driver;

  bool operator==(const NetworkOptions&) const = default;
};

// ---- networks

struct SubnetSpec {
  Family family = Family::kV4;
  std::optional<Cidr> subnet;            // std::nullopt: Fairlead chooses a free one
  std::optional<Cidr> range;             // inside `subnet`; only its addresses are given out
  std::optional<IpAddress> gateway;      // default: the first address
  std::map<std::string, IpAddress> aux;  // reserved by name, never given out

  bool operator==(const SubnetSpec&) const = default;
};

// An address that is kept for the container of that name, whether it runs or not.
struct Reservation {
  std::string container;  // a name, or an id: what the runtime calls it
  IpAddress address;

  auto operator<=>(const Reservation&) const = default;
};

// Who decides on the addresses of endpoints.
enum class AddressSource {
  kFairlead,  // leases from Fairlead's pools
  kRuntime,   // the runtime's own allocator (Docker's default IPAM, Podman): taken as given
  kPlugin,    // another program (CNI's IPAM plugins), once the link is there: taken as given
};
std::string_view to_string(AddressSource source);  // "fairlead", "runtime", "plugin"

// The parameters of mode=overlay, a network that is the same on several hosts. The id of such a
// network is also the same on all of them.
struct OverlayParams {
  std::uint32_t vni = 0;      // 1 to 2^24-1, of this network alone
  std::uint16_t port = 4789;  // UDP, the same on all hosts
  IpAddress local;            // of this host in the underlay
  unsigned underlay_mtu = 0;  // the smallest of all hosts, in bytes; 0: that of this host

  bool operator==(const OverlayParams&) const = default;
};

// The tunnel's device on every host: "flx" and the VNI in 6 hex digits.
inline constexpr std::string_view kOverlayDevicePrefix = "flx";
IfName overlay_device(const OverlayParams& overlay);
// The MACs of a network's bridge and of its tunnel, which are the same on all hosts.
MacAddress bridge_mac_of(std::string_view network_id);
MacAddress tunnel_mac_of(std::string_view network_id);

// A label: the runtime for which a network was made in order to be bound to (see bind_network).
// Such a network is removed with its last binding.
inline constexpr const char* kMadeForLabel = "fairlead.made-for";

struct NetworkSpec {
  NetworkName name;
  std::string id;  // 64 hex digits given by the runtime (Docker), or empty: chosen at random
  NetworkOptions options;
  std::vector<SubnetSpec> subnets;  // empty: one IPv4 subnet (and one IPv6, if `ipv6`)
  bool ipv6 = false;
  bool internal = false;  // no connections to the outside, no published ports
  AddressSource address_source = AddressSource::kFairlead;
  std::map<std::string, std::string> labels;
  std::optional<OverlayParams> overlay;  // only for mode=overlay
  std::vector<Reservation> reservations{};
};

struct Subnet {
  Cidr subnet;
  std::optional<IpAddress> gateway;
  std::optional<Cidr> range;
  std::map<std::string, IpAddress> aux;
  std::string pool_id;  // the pool that holds the subnet, so that no other network can take it

  bool operator==(const Subnet&) const = default;
};

// The phases in the life of a record. Reconcile undoes or finishes what it finds in kCreating or
// kDeleting.
enum class Phase { kCreating, kReady, kDeleting };

// What a driver remembers of a network or of an endpoint, as texts by name. The service stores it
// and reads none of it.
struct DriverRecord {
  // For people and programs: `inspect` shows it beside the other properties. "bridge": "fl-1234".
  std::map<std::string, std::string> shown;
  // What is of no use to others.
  std::map<std::string, std::string> kept;

  bool operator==(const DriverRecord&) const = default;
};

// What a runtime calls a network: one that it made, or one that is bound to it.
struct RuntimeNetwork {
  std::string id;       // the runtime's
  std::string name;     // "shop_default"
  std::string project;  // of compose; empty: of none

  bool operator==(const RuntimeNetwork&) const = default;
};

struct Network {
  std::string id;
  NetworkName name;
  NetworkOptions options;
  std::vector<Subnet> subnets;
  bool internal = false;
  AddressSource address_source = AddressSource::kFairlead;
  std::map<std::string, std::string> labels;
  Phase phase = Phase::kCreating;
  long long created = 0;  // Unix seconds
  // These are chosen at creation, so that they are the same after a reboot:
  DriverRecord links;
  unsigned mtu = 1500;
  std::optional<OverlayParams> overlay;  // only of networks over several hosts
  // As far as it is known (names.h). Verbs that show networks say it; it is no part of the record.
  std::vector<RuntimeNetwork> runtimes{};
  std::vector<Reservation> reservations{};
  // Its gateways at which the daemon of this host answers names. Verbs that show networks say it; it is no part of
  // the record.
  std::vector<IpAddress> name_servers{};

  bool has(Family family) const {
    for (const Subnet& subnet : subnets)
      if (subnet.subnet.family() == family) return true;
    return false;
  }
  bool operator==(const Network&) const = default;
};

// The name for people: the runtime's where the network has none of its own but what was made of the
// runtime's id, and its own otherwise.
std::string title_of(const Network& network);
// The compose project of the network; empty: of none.
std::string project_of(const Network& network);

// A network as a caller names it. Protocols say which kind of name they have, so that no network is
// taken for another one whose name or id happens to be the same text.
struct NetworkId {  // the network's own
  std::string value;
  bool operator==(const NetworkId&) const = default;
};
struct RuntimeNetworkId {  // a runtime's: the network's own, or one that is bound to it
  std::string value;
  bool operator==(const RuntimeNetworkId&) const = default;
};
// What a person typed: an id, a name, a runtime's id that is bound to the network, the runtime's
// name of the network, or a unique prefix of an id of at least 3 digits. The first of these that
// there is counts.
struct NetworkText {
  std::string value;
  bool operator==(const NetworkText&) const = default;
};
using NetworkRef = std::variant<NetworkId, RuntimeNetworkId, NetworkName, NetworkText>;
const std::string& to_string(const NetworkRef& ref);  // as it was given, for messages

// ---- endpoints

enum class Proto : std::uint8_t { kTcp = 6, kUdp = 17, kSctp = 132 };  // IANA protocol numbers
std::string_view to_string(Proto proto);
Result<Proto> parse_proto(std::string_view text);  // "tcp", "udp", "sctp", any case

// The most connections at once to which a port can be limited. For each new one the kernel looks at
// those that there are (nf_conncount_add in net/netfilter/nf_conncount.c).
inline constexpr std::uint32_t kMostConnections = 1'000'000;
Result<std::uint32_t> parse_connections(std::string_view text);  // 1 to kMostConnections

// A request to publish container ports. host_port..host_port_end is a range to choose ONE free port
// from (Docker's -p 7000-7005:70); 0 = choose from the ephemeral range. With container_port_end each
// port of the range leads to its own (-p 7000-7005:7000-7005), which several PortSpecs say as well.
struct PortSpec {
  Proto proto = Proto::kTcp;
  std::optional<IpAddress>
      host_ip;  // std::nullopt: all addresses of both families; 0.0.0.0 or ::, all of its family
  std::uint16_t host_port = 0;
  std::uint16_t host_port_end = 0;       // 0 or host_port: exactly host_port
  std::uint16_t container_port = 0;      // 1 to 65535
  std::uint16_t container_port_end = 0;  // 0, or the last of as many ports as the host's range has
  // At once, of both families together, to each port of a range; 0: as the network has it.
  std::uint32_t max_connections = 0;

  bool operator==(const PortSpec&) const = default;
};

// Whether everything that reaches a port on `inner` also reaches it on `outer`.
bool covers(const std::optional<IpAddress>& outer, const std::optional<IpAddress>& inner);
// The ports in the order of the request, without those that another one of them contains: the same
// mapping named twice, or also for one of several addresses. A mapping to another port of the
// container, or with another number of connections, is not the same.
std::vector<PortSpec> without_repetitions(std::span<const PortSpec> ports);
// The same without repetitions, as few specifications as possible: consecutive ports of the host
// that lead to consecutive ports of the container are one range, from kShortestRange on, and single
// ports otherwise. kInvalid when the two ends of a range do not fit.
inline constexpr unsigned kShortestRange = 8;
Result<std::vector<PortSpec>> in_ranges(std::span<const PortSpec> ports);

struct PublishedPort {
  Proto proto = Proto::kTcp;
  std::optional<IpAddress> host_ip;  // as in PortSpec
  std::uint16_t host_port = 0;
  std::uint16_t container_port = 0;
  // 0: one port. Otherwise the last of a range, whose ports lead to as many from container_port on.
  std::uint16_t host_port_end = 0;
  std::uint32_t max_connections = 0;  // as in PortSpec; 0: any number

  std::uint16_t last() const { return host_port_end == 0 ? host_port : host_port_end; }
  std::uint16_t container_last() const {
    return static_cast<std::uint16_t>(container_port + (last() - host_port));
  }
  bool is_range() const { return host_port_end != 0; }
  auto operator<=>(const PublishedPort&) const = default;
};

// Published ports by what removes them: by all that is said of them.
struct PortChoice {
  Proto proto = Proto::kTcp;
  std::optional<IpAddress> host_ip;  // std::nullopt: on whatever addresses
  std::uint16_t host_port = 0;
  std::uint16_t host_port_end = 0;  // 0: host_port alone; otherwise all from there to here

  bool operator==(const PortChoice&) const = default;
};

// What changes of an endpoint's published ports; all others stay as they are.
struct PortChange {
  std::vector<PortChoice> remove;
  std::vector<PortSpec> add;
};

struct Route {
  Cidr destination;
  std::optional<IpAddress>
      via;  // std::nullopt: the endpoint's gateway of that family; without one, on-link
  std::optional<std::uint32_t> mtu, advmss, priority, table, scope;

  bool operator==(const Route&) const = default;
};

struct Dns {
  std::vector<std::string> nameservers, search, options;
  std::string domain;

  bool operator==(const Dns&) const = default;
};

// What people call a container, as far as it is known: Docker's are asked for (names.h), of others
// the request says it.
struct ContainerNames {
  std::string name;              // "web"; of a pod "namespace/pod"
  std::string project, service;  // of compose
  std::map<std::string, std::string> labels;
  std::string hostname{};
  std::vector<std::string> aliases{};    // that the runtime tells later: more of Endpoint::aliases
  std::vector<IpAddress> dns_servers{};  // of its own

  bool empty() const { return *this == ContainerNames(); }
  bool operator==(const ContainerNames&) const = default;
};

// Ranges of one family, of which one address is given out. Each lies in a subnet of the network.
using RangeSet = std::vector<Cidr>;

// An endpoint is found again by (network, id). Runtimes that have no endpoint ids derive one:
// endpoint_id() below.
struct EndpointSpec {
  NetworkRef network;
  std::string id;         // 1 to 128 characters of [0-9a-zA-Z_.-]
  std::string container;  // the runtime's id of the container, when it says so
  // Its other names, by which a reservation may call it: a pod's "web-0" and "shop/web-0".
  std::vector<std::string> known_as{};
  std::string runtime;  // "docker", "cni", "podman", "api"
  // kFairlead: wanted ones (prefix length ignored), each of which chooses its subnet. A family without
  // one gets an address of the network's first subnet that has one free.
  std::vector<Cidr> addresses;
  AddressSource address_source = AddressSource::kFairlead;
  std::optional<MacAddress> mac;  // default: MacAddress::for_ip of the first address
  std::vector<PortSpec> ports;
  std::vector<std::string> aliases;
  // When not empty, only these addresses of their families are given out, of the first that has one free.
  std::vector<Cidr> ranges;
  // As host-local's: each set gives one address, of the first of its ranges that has one free. In
  // place of `ranges` for the families of the sets.
  std::vector<RangeSet> range_sets;
  std::optional<Rates> rates;             // default: the network's
  std::vector<Route> routes;              // in addition to the default route
  std::optional<std::string> netns_path;  // remembered for `endpoint ls` and liveness
  ContainerNames names{};
  std::map<std::string, std::string> labels{};  // policies select endpoints by them
  // A digest of all that the runtime asked for. attach() with the digest of an endpoint that is
  // attached to this container's interface answers again what it answered then; empty: kExists.
  std::string digest{};
  bool default_route = true;  // false: none through the network's gateways
};

// The id of the endpoint of (container, interface), for protocols without endpoint ids: 32 hex
// digits.
std::string endpoint_id(std::string_view container, std::string_view ifname);

struct Endpoint {
  std::string id;
  std::string network_id;
  std::string container;
  std::string runtime;
  std::vector<Cidr> addresses;  // with the subnet's prefix length
  std::vector<IpAddress>
      gateways;  // of the addresses' subnets; the default route has a family's first
  std::optional<MacAddress> mac;
  DriverRecord links;
  std::string ifname;  // in the container; empty until joined, or when the runtime names it
  AddressSource address_source = AddressSource::kFairlead;
  std::vector<PublishedPort> ports;
  // Ports that another endpoint of the same container serves already. When that one goes, this one
  // serves them.
  std::vector<PublishedPort> standby_ports;
  std::vector<std::string> aliases;
  Rates rates;
  std::vector<Route> routes;
  std::string netns_path;
  std::map<std::string, std::string> labels{};
  std::string boot_id;  // a record of another boot is void
  Phase phase = Phase::kCreating;
  bool joined = false;  // links exist
  long long created = 0;
  ContainerNames names{};
  std::string digest{};  // the spec's, or that of GivenAddresses
  // Of GivenAddresses.
  std::string allocation{};

  bool operator==(const Endpoint&) const = default;
};

// What another program has given an attached endpoint (AddressSource::kPlugin), and what had to wait for it.
struct GivenAddresses {
  std::vector<Cidr> addresses;  // with their prefix lengths
  std::vector<PortSpec> ports;  // to be published
  std::vector<Route> routes;    // in addition to the default route; `via` as in Route
  std::string digest;           // as EndpointSpec::digest: from now on the call is answered again
  // What the program said, in its own form, for the protocol that has asked it. Nobody else reads it.
  std::string allocation;
};

// For people: "container web", "pod default/web-0", "endpoint 3f2a9c51b2d0".
std::string title_of(const Endpoint& endpoint);
// " (compose project shop)", or empty.
std::string project_note(const ContainerNames& names);

// The gateway of the subnet with the address; without one, the first of its family.
std::optional<IpAddress> gateway_for(const Endpoint& endpoint, const Cidr& address);

// The routes of the container: first a default route through each family's first gateway, unless the
// endpoint's own routes contain one, then the endpoint's own routes with `via` filled in. A gateway
// that is in no subnet of the endpoint's (its address is a /32 or /128) has a route of its own before
// them.
std::vector<Route> container_routes(const Endpoint& endpoint);

// Where the endpoint's container asks for names while the daemon runs: the network's name servers of the families
// that it has addresses of, and its domain as search list. Empty where there are none.
Dns name_service_of(const Network& network, const Endpoint& endpoint);

struct EndpointRef {
  NetworkRef network;
  std::string id;
};

// Where the container's side of the link is moved. (A value, so that no code below the protocols
// depends on which protocol it is.)
struct LeaveInHost {       // stays in the host's namespace: the runtime moves it itself (Docker)
  std::string netns_path;  // of the namespace to which it moves it, when the runtime says so
};
struct IntoNetns {
  int fd = -1;  // borrowed, of the container's network namespace
  IfName ifname;
};
using Placement = std::variant<LeaveInHost, IntoNetns>;

// A link in the host's namespace through which an endpoint is attached.
struct HostLink {
  IfName name;
  MacAddress mac;

  bool operator==(const HostLink&) const = default;
};

// The result of an attach: everything that the answer of any protocol needs.
struct Attachment {
  Endpoint endpoint;
  std::vector<HostLink> host_links;  // from the network's to the container's
  IfName container_ifname;           // LeaveInHost: its present name in the host's namespace
  MacAddress container_mac;
  unsigned mtu = 1500;
  std::vector<Route> routes;  // default routes and the spec's own
  std::string ifname_prefix;
  // Where the container asks for names, and its search list. Empty where nobody answers at the network's
  // gateways: the host's servers are asked then.
  Dns dns{};
};

}  // namespace fairlead::network
