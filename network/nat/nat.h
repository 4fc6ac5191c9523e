// NAT and filtering of Fairlead's networks: pure functions from networks and published ports to
// nftables. One table, written once; networks and ports that come and go are elements of its sets
// and maps. Nothing here touches the kernel.
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
#include "network/kernel/firewall.h"

namespace fairlead::nat {

inline constexpr std::string_view kTable = "fairlead";

// What the firewall has to know of a network.
struct NatNetwork {
  IfName bridge;
  std::vector<Cidr> subnets;
  network::GatewayMode mode_v4 = network::GatewayMode::kNat;
  network::GatewayMode mode_v6 = network::GatewayMode::kNat;
  bool icc = true;
  bool masquerade = true;
  bool internal = false;

  bool operator==(const NatNetwork&) const = default;
};

// What the firewall has to know of a published port. Targets are the container's addresses; a
// family without a target is not published. `host_ip` as in network::PublishedPort.
struct NatPort {
  network::Proto proto = network::Proto::kTcp;
  std::optional<IpAddress> host_ip;
  std::uint16_t host_port = 0;
  std::uint16_t container_port = 0;
  std::optional<IpAddress> target_v4;
  std::optional<IpAddress> target_v6;
  network::GatewayMode mode_v4 = network::GatewayMode::kNat;  // of the network
  network::GatewayMode mode_v6 = network::GatewayMode::kNat;

  bool operator==(const NatPort&) const = default;
};

// What the firewall has to know of the device that joins a network with other hosts.
struct NatTunnel {
  std::uint32_t vni = 0;
  std::uint16_t port = 4789;  // UDP
  bool encrypted = false;     // only through a WireGuard link, never in the clear

  bool operator==(const NatTunnel&) const = default;
};

// The tunnels of this host, and from where packets of them are taken. The tunnels of others on the
// same port (Docker's own overlay networks) have other VNIs and are left alone.
struct NatUnderlay {
  std::vector<NatTunnel> tunnels;
  // The addresses of the other hosts as the tunnels know them: of an encrypted tunnel those inside
  // of the WireGuard link.
  std::vector<IpAddress> hosts;
  std::vector<IfName> wireguard_links;  // devices that encrypt
  // UDP, of the tunnels of all hosts: containers send nothing there, whether this host has the
  // network or not. Empty where there is no cluster.
  std::vector<std::uint16_t> ports = {};

  bool operator==(const NatUnderlay&) const = default;
};

// From the records of the service. A port of an internal network has no targets.
NatNetwork nat_network(const network::Network& network);
NatPort nat_port(const network::Network& network, const network::Endpoint& endpoint,
                 const network::PublishedPort& port);

// The comment of the table: changes whenever the sets, chains or rules change, never with their
// elements. A table with another comment is of another version of Fairlead and has to be rendered
// again.
std::string version();
// The comment of a table that belongs to this store.
std::string table_comment(const network::StoreMark& mark);

// The table without elements, and the table with all of them: nft text that replaces the table in
// one transaction.
std::string render_chains(std::string_view table = kTable, const network::StoreMark& mark = {});
std::string render(std::span<const NatNetwork> networks, std::span<const NatPort> ports,
                   const NatUnderlay& underlay = {}, std::string_view table = kTable,
                   const network::StoreMark& mark = {});
// Every set and map of the table, in the order of the text.
std::vector<std::string_view> set_names();
// The text that takes the table away, whether it is there or not.
std::string render_nothing(std::string_view table = kTable);

// Elements of one network or port that comes or goes, for Firewall::apply().
std::vector<kernel::ElementChange> admit_network(const NatNetwork& network);
std::vector<kernel::ElementChange> dismiss_network(const NatNetwork& network);
std::vector<kernel::ElementChange> publish(const NatPort& port);
std::vector<kernel::ElementChange> unpublish(const NatPort& port);
// From one set of ports to another, removals first. Use this where ports may share an element: in a
// routed network two host ports of one container port do, and the last one takes it away.
std::vector<kernel::ElementChange> change_ports(std::span<const NatPort> before,
                                                std::span<const NatPort> after);
// What comes or goes of the underlay. A tunnel is guarded from its admission on, so the hosts and
// WireGuard links that it needs come before it or with it.
std::vector<kernel::ElementChange> admit_underlay(const NatUnderlay& part);
std::vector<kernel::ElementChange> dismiss_underlay(const NatUnderlay& part);
std::vector<kernel::ElementChange> change_underlay(const NatUnderlay& before,
                                                   const NatUnderlay& after);

}  // namespace fairlead::nat
