// Builds the rtnetlink messages for VXLAN devices and their entries. Pure functions.
#pragma once

#include "network/kernel/links/links.h"
#include "network/kernel/netlink/netlink.h"
#include "network/kernel/tunnels/vxlan.h"

namespace fairlead::kernel {

inline constexpr std::uint8_t kVxlanTtl = 64;
// Drivers/net/vxlan: 1 = the tos of the inner packet.
inline constexpr std::uint8_t kVxlanTosInherit = 1;

// RTM_NEWLINK of the device, already a port of its bridge and down.
NetlinkMessage create_vxlan(const VxlanSpec& spec);
// The attributes of a device that can be changed while it is there.
void put_vxlan_settings(NetlinkMessage& message);
// The flags of the device as a bridge port: no learning, and packets to MACs that the bridge does
// not know go out here.
PortFlags tunnel_port_flags(const VxlanSpec& spec);

// mac -> vtep in the device's own table (`bridge fdb replace ... self permanent`).
NetlinkMessage set_forwarding(int device, const MacAddress& mac, const IpAddress& vtep);
// Names no vtep, and so deletes the entry whatever its vtep is (vxlan_fdb_delete). ENOENT when
// there is no entry.
NetlinkMessage delete_forwarding(int device, const MacAddress& mac);
NetlinkMessage get_forwarding(int device, const MacAddress& mac);
// Entries ip -> mac are made by set_neighbour() and delete_neighbour() in links/messages.h.
// mac -> port in the table of the port's bridge (`bridge fdb replace ... master static`).
NetlinkMessage set_bridge_entry(int port, const MacAddress& mac);

NetlinkMessage dump_forwarding(int device);
NetlinkMessage dump_neighbours(Family family, int device);

}  // namespace fairlead::kernel
