// NAT and filtering for Fairlead's networks: pure functions that turn networks, endpoints and
// published ports into nftables rules and elements. There are two tables, which are written once:
// `inet fairlead` for the packets of the host, and `bridge fairlead` for what endpoints send into
// their bridges. Networks, endpoints and ports are added and removed as elements of their sets and
// maps. Nothing here calls the kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/names.h"
#include "network/api/store_mark.h"
#include "network/api/types.h"
#include "network/kernel/firewall/firewall.h"

namespace fairlead::nat {

inline constexpr std::string_view kTable = "fairlead";

// The properties of a network that matter to the firewall.
struct NatNetwork {
  IfName bridge;
  // There is no bridge: each container has an interface of its own in the host, whose name begins
  // with `bridge`, and the host routes between them.
  bool routed = false;
  std::vector<Cidr> subnets;
  network::GatewayMode mode_v4 = network::GatewayMode::kNat;
  network::GatewayMode mode_v6 = network::GatewayMode::kNat;
  bool icc = true;
  bool masquerade = true;
  bool internal = false;
  bool host_access = true;  // its containers reach services of the host
  bool leaves = true;       // its containers reach what no policy names
  bool shared = false;      // the bridge is also others': nothing is demanded of what they send
  std::vector<IfName> trusted_interfaces{};  // from which every port of its containers is reached
  // In place of the address of the interface; the range is IPv4's.
  std::optional<IpAddress> snat_v4{};
  std::optional<IpAddress> snat_v6{};
  std::optional<network::PortRange> snat_ports{};
  std::vector<Cidr> masquerade_exclude{};  // destinations that see the containers' own addresses
  std::vector<IpAddress> gateways{};       // of a routed network: the host's addresses in it

  bool operator==(const NatNetwork&) const = default;
};

// The properties of a published port that matter to the firewall. Targets are the container's
// addresses; a family without a target is not published. `host_ip` as in network::PublishedPort.
struct NatPort {
  network::Proto proto = network::Proto::kTcp;
  std::optional<IpAddress> host_ip;
  std::uint16_t host_port = 0;
  std::uint16_t container_port = 0;
  std::optional<IpAddress> target_v4;
  std::optional<IpAddress> target_v6;
  network::GatewayMode mode_v4 = network::GatewayMode::kNat;  // of the network
  network::GatewayMode mode_v6 = network::GatewayMode::kNat;
  // A port on one host address is reached through every interface, and not only through the one
  // that has the address.
  bool weak = false;
  // 0, or the last of a range, whose ports lead to as many from container_port on.
  std::uint16_t host_port_end = 0;
  std::uint32_t max_connections = 0;  // at once, to each port; 0: any number

  bool operator==(const NatPort&) const = default;
};

// An address of an endpoint that reaches no services of the host, on a bridge that is also others'.
struct NatConfined {
  IfName bridge;
  IpAddress address;

  bool operator==(const NatConfined&) const = default;
};

// An endpoint's port on its bridge, and what may come from it.
struct NatSender {
  IfName port;
  MacAddress mac;
  std::vector<IpAddress> addresses;
  bool checked = true;     // otherwise everything may
  bool asks_dhcp = false;  // a DHCP server may give it its addresses

  bool operator==(const NatSender&) const = default;
};

// The interface of an endpoint that the host routes to, and the addresses behind it: the flows of
// which it may report errors.
struct NatReporter {
  IfName link;
  std::vector<IpAddress> addresses;

  bool operator==(const NatReporter&) const = default;
};

// The properties of the VXLAN device of a network that matter to the firewall.
struct NatTunnel {
  std::uint32_t vni = 0;
  std::uint16_t port = 4789;  // UDP
  bool encrypted = false;     // its packets pass only through a WireGuard link, never unencrypted

  bool operator==(const NatTunnel&) const = default;
};

// The tunnels of this host, and the sources from which their packets are accepted. Tunnels of other
// programs on the same port (Docker's own overlay networks) have other VNIs, and their packets are
// not filtered.
struct NatUnderlay {
  std::vector<NatTunnel> tunnels;
  // The addresses of the other hosts that the tunnels use as VTEPs; for encrypted tunnels these are
  // the addresses inside the WireGuard link.
  std::vector<IpAddress> hosts;
  std::vector<IfName> wireguard_links;  // the devices that encrypt tunnels
  // The UDP ports of the tunnels of all hosts. Containers may send nothing to them, whether this
  // host has the network or not. Empty without a cluster.
  std::vector<std::uint16_t> ports = {};

  bool operator==(const NatUnderlay&) const = default;
};

// An address of the host whose answers leave by another way than the host's first: the mark that
// flows of questions to it get when they came in through the link.
struct NatUplink {
  IfName link;
  IpAddress address;
  std::uint32_t mark = 0;

  bool operator==(const NatUplink&) const = default;
};

// A broadcast address of a subnet on a link, or 255.255.255.255, and the host's address there.
struct NatBroadcast {
  IfName link;
  Cidr subnet;
  IpAddress destination;
  IpAddress address;

  bool operator==(const NatBroadcast&) const = default;
};

struct AddressRange {
  IpAddress first, last;  // of one family

  auto operator<=>(const AddressRange&) const = default;
};

// Protocols of IP, and ports of those among them that have any (TCP, UDP, SCTP). Anything but 0 to 65535 is no
// other protocol.
struct NatService {
  std::uint8_t first_proto = 0, last_proto = 255;
  std::uint16_t first_port = 0, last_port = 65535;

  bool operator==(const NatService&) const = default;
};

// Who may begin what with whom, in addresses as the two ends have them: not translated ones. Pairs of
// different families do not count.
struct NatPolicy {
  bool allow = true;
  std::vector<AddressRange> from{}, to{};
  bool to_host = false;  // to any address of the host, instead of `to`
  std::vector<NatService> services{};

  bool operator==(const NatPolicy&) const = default;
};

// A question of the name service out of a network: to whom it was asked, and which of the network's gateways answers.
struct NatQuestions {
  IfName link;
  bool routed = false;  // as NatNetwork::routed
  IpAddress asked, gateway;
  std::uint16_t port = 53;  // of the answerer
  bool by_host = false;     // the host itself may ask there as well
  // The network's subnets: rules go by the link, connection tracking by addresses.
  std::vector<Cidr> clients{};

  auto operator<=>(const NatQuestions&) const = default;
};

// The host itself.
struct NatHost {
  // The families whose forwarding was switched on for Fairlead's networks: packets between other
  // interfaces are dropped, as before.
  std::vector<Family> not_routed{};
  std::vector<NatUplink> uplinks{};
  std::vector<NatBroadcast> broadcasts{};  // no two of a link and destination overlap
  std::vector<NatQuestions> questions{};

  bool operator==(const NatHost&) const = default;
};

// All that the firewall has to know of this host, or the part of it that a change concerns.
struct NatState {
  std::vector<NatNetwork> networks{};
  std::vector<NatPort> ports{};
  NatUnderlay underlay{};
  NatHost host{};
  std::vector<NatConfined> confined{};
  std::vector<NatPolicy> policies{};
  std::vector<NatReporter> reporters{};
  std::vector<NatSender> senders{};  // in the table of the family bridge; all else is in the other

  bool operator==(const NatState&) const = default;
};

// Make the values from the records of the service. A network has one value for each of its
// interfaces (FirewallLinks); `shared`: the interface is also others'; `routed`: it is how the names
// of the containers' interfaces begin. A port of an internal network
// has no targets.
NatNetwork nat_network(const network::Network& network, const IfName& interface, bool shared,
                       bool routed = false);
NatPort nat_port(const network::Network& network, const network::Endpoint& endpoint,
                 const network::PublishedPort& port);
NatSender nat_sender(const network::Network& network, const network::Endpoint& endpoint,
                     const IfName& port);

NatReporter nat_reporter(const network::Endpoint& endpoint, const IfName& link);

using kernel::TableFamily;

// The version in the comment of the table, which is known when the program is compiled. It differs
// whenever the sets, chains or rules differ, and does not depend on elements. A table with another version was written by another version of
// Fairlead, and has to be rendered again.
std::string version(TableFamily family = TableFamily::kInet);
// The whole comment of a table: the version, and the mark of the store to which the table belongs.
std::string table_comment(const network::StoreMark& mark, TableFamily family = TableFamily::kInet);

// The nft text that replaces the table in one transaction: without elements (render_chains), and
// with all of them (render). The chains that count connections to ports are there for those limits
// that `state` has, and are no part of the version.
std::string render_chains(const network::StoreMark& mark = {},
                          TableFamily family = TableFamily::kInet, const NatState& state = {});
std::string render(const NatState& state, const network::StoreMark& mark = {},
                   TableFamily family = TableFamily::kInet);
// The chains that count connections to the ports of `state`; each has a set of the same name.
std::vector<std::string> limits_of(const NatState& state);
bool is_limit(std::string_view chain);
// The text that makes such chains in a table that is there, or makes them again. What they count goes on.
std::string render_limits(std::span<const std::string> chains);
// The text that deletes one. It fails while a port needs it.
std::string render_no_limit(std::string_view chain);
// The sets and maps of `inet fairlead` that policies alone have elements in.
std::vector<std::string_view> policy_set_names();
// Every set and map of the table, in the order of the text.
std::vector<std::string_view> set_names(TableFamily family = TableFamily::kInet);
// The text that deletes the table, and also succeeds when there is none.
std::string render_nothing(TableFamily family = TableFamily::kInet);

// The elements of the table's sets and maps, sorted. Those that several ports share, as two host
// ports of one container port do in a routed network, are contained once.
std::vector<kernel::Element> elements_of(const NatState& state,
                                         TableFamily family = TableFamily::kInet);

// The changes from one state to another, for Firewall::apply(): removals first, so that the data of
// a key can change. `before` and `after` need to contain only what changes, and everything that
// shares elements with it: all ports of an endpoint when one of its ports changes. What has to come
// together (a tunnel, and the hosts from which its packets are accepted) belongs into one call.
std::vector<kernel::ElementChange> difference(const NatState& before, const NatState& after,
                                              TableFamily family = TableFamily::kInet);

}  // namespace fairlead::nat
