// rtnetlink messages of VXLAN devices and their entries, as values. Pure.
#pragma once

#include "network/kernel/netlink.h"
#include "network/kernel/vxlan.h"

namespace fairlead::kernel {

inline constexpr std::uint8_t kVxlanTtl = 64;
inline constexpr std::uint8_t kVxlanTosInherit = 1;  // drivers/net/vxlan: 1 = of the inner packet

// RTM_NEWLINK of the device, already a port of its bridge and down.
NetlinkMessage create_vxlan(const VxlanSpec& spec);
// The attributes of a device that can be changed while it is there.
void put_vxlan_settings(NetlinkMessage& message);
// As a bridge port: no learning; what the bridge does not know goes out here.
PortFlags tunnel_port_flags(const VxlanSpec& spec);

// mac -> vtep in the device's own table (`bridge fdb replace ... self permanent`).
NetlinkMessage set_forwarding(int device, const MacAddress& mac, const IpAddress& vtep);
// ENOENT when it is not there. Without the vtep: whatever it is (vxlan_fdb_delete).
NetlinkMessage delete_forwarding(int device, const MacAddress& mac);
NetlinkMessage get_forwarding(int device, const MacAddress& mac);
// ip -> mac (`ip neigh replace ... nud permanent`); links_messages.h has the deletion.
NetlinkMessage set_neighbour(int device, const IpAddress& ip, const MacAddress& mac);
// mac -> port in the table of the port's bridge (`bridge fdb replace ... master static`).
NetlinkMessage set_bridge_entry(int port, const MacAddress& mac);

NetlinkMessage dump_forwarding(int device);
NetlinkMessage dump_neighbours(Family family, int device);

}  // namespace fairlead::kernel
