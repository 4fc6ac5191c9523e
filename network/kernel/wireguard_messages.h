// Messages of WireGuard devices, as values: a link of rtnetlink, everything else of the generic
// netlink family "wireguard" (linux/wireguard.h). Pure.
#pragma once

#include <span>
#include <vector>

#include "network/kernel/netlink.h"
#include "network/kernel/wireguard.h"
#include "network/kernel/wireguard_plan.h"

namespace fairlead::kernel {

// RTM_NEWLINK of the device, down.
NetlinkMessage create_wireguard(const WireguardLinkSpec& spec);
// The same with an MTU that no device can have: EOPNOTSUPP where the kernel does not know the kind,
// else EINVAL, and in both cases no device (net/core/rtnetlink.c, rtnl_create_link).
NetlinkMessage create_impossible_wireguard();

// CTRL_CMD_GETFAMILY: the number of a family of generic netlink is given out when it is loaded.
NetlinkMessage look_up_family(std::string_view name);
// The number in the answer, if it is about this family.
std::optional<std::uint16_t> parse_family(Bytes payload, std::string_view name);

// WG_CMD_SET_DEVICE of what is given. A private key that is set again ends all sessions.
struct DeviceChange {
  std::optional<PrivateKey> private_key{};
  std::optional<std::uint16_t> port{};
  bool drop_mark = false;  // of its packets to the underlay

  bool empty() const { return !private_key && !port && !drop_mark; }
};
NetlinkMessage set_device(std::uint16_t family, int index, const DeviceChange& change);
// WG_CMD_SET_DEVICE of peers, split as the kernel's buffers demand. Worked on in order.
inline constexpr std::size_t kPeersInAMessage = 50;
std::vector<NetlinkMessage> set_peers(std::uint16_t family, int index,
                                      std::span<const PeerStep> steps);
// WG_CMD_GET_DEVICE, to be dumped.
NetlinkMessage get_device(std::uint16_t family, int index);

// What parts of a dump say, put together. A peer or its addresses may be spread over several parts
// in a row; peers are in the order of the kernel.
struct DeviceDump {
  WireguardLinkState state;
  PrivateKey private_key;
  std::uint32_t mark = 0;
};
// False when the part is malformed; what could be read is there.
bool add_device_part(Bytes payload, DeviceDump& dump);

}  // namespace fairlead::kernel
