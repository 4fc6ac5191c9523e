// Builds the rtnetlink messages of Links. Pure functions; nothing else builds bytes of such
// messages.
#pragma once

#include <optional>
#include <vector>

#include "network/kernel/links/links.h"
#include "network/kernel/netlink/netlink.h"

struct tcmsg;

namespace fairlead::kernel {

// The MAC address of the host's side of a container's interface, or of the ifb device that shapes
// its traffic.
MacAddress host_side_mac(const IfName& name);

// RTM_GETLINK of one link.
NetlinkMessage get_link(const IfName& name);
NetlinkMessage get_link(int index);
// RTM_NEWLINK that changes the link `index`; kUp and kDown also switch it on or off.
enum class LinkState { kKeep, kUp, kDown };
NetlinkMessage change_link(int index, LinkState state = LinkState::kKeep);
NetlinkMessage delete_link(int index);
// RTM_NEWLINK of a link that must not exist yet. Linux echoes it since 6.2, which tells the index
// of the link. The caller puts the name and the kind.
NetlinkMessage new_link(LinkState state);

NetlinkMessage create_bridge(const BridgeSpec& spec);
NetlinkMessage create_veth_pair(const VethSpec& spec, LinkState host_state);
NetlinkMessage create_ifb(const IfName& name);
// In the namespace of `spec`; the parent is in that of the socket.
NetlinkMessage create_macvlan(const MacvlanSpec& spec);

NetlinkMessage create_ipvlan(const IpvlanSpec& spec);
NetlinkMessage create_vlan(const VlanSpec& spec);
// EINVAL where the kernel has links of the kind, because the parent is missing.
NetlinkMessage create_without_parent(const std::string& kind);

// RTM_NEWLINK that gives the link another name, in another namespace if there is one.
NetlinkMessage rename_link(int index, const IfName& name, int netns_fd = -1);

// Settings of IFLA_AF_SPEC (net/ipv4/devinet.c inet_set_link_af, net/ipv6/addrconf.c
// inet6_set_link_af): one message sets them, where /proc/sys has a file for each.
struct FamilySettings {
  std::optional<bool> route_localnet;
  std::optional<bool> arp_notify;
  std::optional<bool> proxy_arp;
  bool no_link_local = false;  // IN6_ADDR_GEN_MODE_NONE
};
void put_family_settings(NetlinkMessage& message, const FamilySettings& settings);

// Puts the IFLA_LINKINFO of a change to a bridge port.
// Of a qdisc, class or filter of the link (linux/rtnetlink.h).
tcmsg traffic_header(int index, std::uint32_t parent, std::uint32_t handle);

// Of Fairlead's own bridges, inside of IFLA_INFO_DATA: no snooping of multicast, nothing is learned
// from link-local frames.
void put_bridge_settings(NetlinkMessage& message);
void put_port_flags(NetlinkMessage& message, PortFlags flags);
void put_bridge_vlan(NetlinkMessage& message, std::uint16_t vlan);
// RTM_SETLINK of a port: the VLAN of what has no tag, whose packets leave without one.
NetlinkMessage add_access_vlan(int index, std::uint16_t vlan);
NetlinkMessage delete_vlan(int index, std::uint16_t vlan);  // RTM_DELLINK; succeeds without it
NetlinkMessage dump_vlans();                                // of all bridges and ports

// RTM_NEWADDR, without duplicate address detection; EEXIST when the link has the address.
NetlinkMessage add_address(int index, const Cidr& address);
// RTM_DELADDR; EADDRNOTAVAIL when the link does not have the address.
NetlinkMessage delete_address(int index, const Cidr& address);
// RTM_NEWROUTE through the link; EEXIST when there is a route with that destination and priority.
NetlinkMessage add_route(int index, const RouteSpec& route);
// RTM_NEWROUTE of one address through the link, in the place of a present one. `source` is what the
// host speaks under.
NetlinkMessage lead_address(int index, const IpAddress& address,
                            const std::optional<IpAddress>& source);
// RTM_NEWNEIGH of an entry that never has to be asked for, and does not count against the limits of
// the table (net/core/neighbour.c), and of an address for which the host answers on the link.
NetlinkMessage set_neighbour(int index, const IpAddress& address, const MacAddress& mac);
NetlinkMessage set_proxy(int index, const IpAddress& address);
NetlinkMessage delete_proxy(int index, const IpAddress& address);
// RTM_GETROUTE: the route that a packet to this address takes.
NetlinkMessage look_up_route(const IpAddress& destination);
NetlinkMessage delete_neighbour(int index, const IpAddress& address);

// Dumps, restricted by the kernel (strict checking) where it can.
NetlinkMessage dump_links();
NetlinkMessage dump_addresses(Family family, int index);  // 0 = of all links
// The routes of one table, or of all (RT_TABLE_UNSPEC); `index` 0: through any link.
NetlinkMessage dump_routes(Family family, int index, std::uint32_t table);

}  // namespace fairlead::kernel
