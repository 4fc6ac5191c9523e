// Builds and reads the messages of WireGuard devices: rtnetlink for the link, the generic netlink
// family "wireguard" (linux/wireguard.h) for everything else. Pure functions.
#pragma once

#include <span>
#include <vector>

#include "network/kernel/netlink/netlink.h"
#include "network/kernel/tunnels/wireguard.h"
#include "network/kernel/tunnels/wireguard_plan.h"

namespace fairlead::kernel {

// RTM_NEWLINK of the device, down.
NetlinkMessage create_wireguard(const WireguardLinkSpec& spec);
// The same with an MTU that no device can have. The kernel makes no device, and answers EOPNOTSUPP
// when it does not know the kind, otherwise EINVAL (net/core/rtnetlink.c, rtnl_create_link).
NetlinkMessage create_impossible_wireguard();

// CTRL_CMD_GETFAMILY, which asks for the number of a family of generic netlink. The kernel assigns
// it when the family is loaded.
NetlinkMessage look_up_family(std::string_view name);
// The number in the answer, if it is about this family.
std::optional<std::uint16_t> parse_family(Bytes payload, std::string_view name);

// WG_CMD_SET_DEVICE with the settings that are given. Setting a private key ends all sessions.
struct DeviceChange {
  std::optional<PrivateKey> private_key{};
  std::optional<std::uint16_t> port{};
  bool drop_mark = false;  // remove the fwmark of packets to the underlay

  bool empty() const { return !private_key && !port && !drop_mark; }
};
NetlinkMessage set_device(std::uint16_t family, int index, const DeviceChange& change);
// WG_CMD_SET_DEVICE with changes of peers, split into messages that fit into the kernel's buffers.
// The kernel makes the changes in their order.
inline constexpr std::size_t kPeersInAMessage = 50;
std::vector<NetlinkMessage> set_peers(std::uint16_t family, int index,
                                      std::span<const PeerStep> steps);
// WG_CMD_GET_DEVICE, to be dumped.
NetlinkMessage get_device(std::uint16_t family, int index);

// The content of all parts of a dump. A peer's addresses may be spread over several consecutive
// parts; peers are in the order of the kernel.
struct DeviceDump {
  WireguardLinkState state;
  PrivateKey private_key;
  std::uint32_t mark = 0;
};
// Adds one part. False when the part is malformed; what could be read of it is added.
bool add_device_part(Bytes payload, DeviceDump& dump);

}  // namespace fairlead::kernel
