// Turns rtnetlink messages into values. Pure functions; any bytes are safe to read.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ip.h"
#include "network/kernel/links/links.h"
#include "network/kernel/netlink/messages.h"

namespace fairlead::kernel {

// How a VXLAN device is configured (IFLA_VXLAN_*).
struct VxlanDetails {
  std::uint32_t vni = 0;
  std::uint16_t port = 0;
  std::optional<IpAddress> local;
  std::uint8_t ttl = 0, tos = 0;
  bool learning = false, proxy = false;
  bool bound = false;     // sends through one interface of the underlay only (IFLA_VXLAN_LINK)
  bool floods = false;    // sends unknown and broadcast packets to a default destination
  bool collects = false;  // takes the VNI from the packets' metadata
};

// RTM_NEWLINK, RTM_DELLINK.
struct LinkDetails {
  Link link;
  std::optional<VxlanDetails> vxlan;
  std::optional<PortFlags> port_flags;     // of bridge ports
  bool bridge_port_event = false;          // sent by the bridge about one of its ports (AF_BRIDGE)
  std::optional<bool> multicast_snooping;  // bridges
  std::optional<bool> link_local_learning;
  std::optional<bool> vlan_filtering;
  std::optional<std::uint16_t> default_vlan;  // 0: none
  std::optional<int> accept_ra;
  std::optional<std::uint8_t> addr_gen_mode;  // IN6_ADDR_GEN_MODE_*
};
std::optional<LinkDetails> parse_link(Bytes payload);

// The VLANs of one bridge or port, of the answers to dump_vlans().
struct VlanDetails {
  std::uint16_t id = 0;
  bool pvid = false, untagged = false;
  bool operator==(const VlanDetails&) const = default;
};
std::vector<VlanDetails> parse_vlans(Bytes payload, int index);

// RTM_NEWADDR.
struct AddressDetails {
  int ifindex = 0;
  Cidr address;  // with host bits, as configured
};
std::optional<AddressDetails> parse_address(Bytes payload);

// RTM_NEWROUTE.
struct RouteDetails {
  RouteSpec route;
  int ifindex = 0;            // of the first next hop; 0 = none
  std::uint8_t type = 0;      // RTN_*
  std::uint8_t protocol = 0;  // RTPROT_*
};
std::optional<RouteDetails> parse_route(Bytes payload);

// RTM_NEWNEIGH: a neighbour, or an entry of a forwarding database (AF_BRIDGE). In the latter `ip`
// is the remote VTEP, and the zero MAC is the entry for all MACs that have none.
struct NeighbourDetails {
  int ifindex = 0;
  std::uint8_t family = 0;  // AF_INET, AF_INET6, AF_BRIDGE
  std::uint8_t flags = 0;   // NTF_*
  std::uint16_t state = 0;  // NUD_*
  std::optional<IpAddress> ip;
  std::optional<MacAddress> mac;  // std::nullopt: none, or a multicast address
};
std::optional<NeighbourDetails> parse_neighbour(Bytes payload);

}  // namespace fairlead::kernel
