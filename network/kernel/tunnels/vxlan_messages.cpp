#include "network/kernel/tunnels/vxlan_messages.h"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include "network/kernel/links/messages.h"

namespace fairlead::kernel {

namespace {

std::uint8_t af_of(Family family) { return family == Family::kV4 ? AF_INET : AF_INET6; }

NetlinkMessage neighbour_message(std::uint16_t type, int flags, const ndmsg& header) {
  NetlinkMessage message(type, flags);
  message.put_struct(header);
  return message;
}

ndmsg entry_header(std::uint8_t family, int ifindex, std::uint16_t state, std::uint8_t flags) {
  ndmsg header{};
  header.ndm_family = family;
  header.ndm_ifindex = ifindex;
  header.ndm_state = state;
  header.ndm_flags = flags;
  return header;
}

constexpr int kReplace = NLM_F_CREATE | NLM_F_REPLACE;

}  // namespace

NetlinkMessage create_vxlan(const VxlanSpec& spec) {
  NetlinkMessage message = new_link(LinkState::kKeep);
  message.put_text(IFLA_IFNAME, spec.name.str())
      .put(IFLA_ADDRESS, spec.mac.bytes())
      .put_u32(IFLA_MTU, spec.mtu)
      .put_u32(IFLA_MASTER, static_cast<std::uint32_t>(spec.master));
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, "vxlan");
  const auto data = message.nest(IFLA_INFO_DATA);
  message.put_u32(IFLA_VXLAN_ID, spec.vni)
      .put_be16(IFLA_VXLAN_PORT, spec.port)
      .put(spec.local.is_v4() ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, spec.local.bytes())
      .put_u8(IFLA_VXLAN_PROXY, 1);
  put_vxlan_settings(message);
  return message;
}

void put_vxlan_settings(NetlinkMessage& message) {
  message.put_u8(IFLA_VXLAN_LEARNING, 0)
      .put_u8(IFLA_VXLAN_TTL, kVxlanTtl)
      .put_u8(IFLA_VXLAN_TOS, kVxlanTosInherit);
}

PortFlags tunnel_port_flags(const VxlanSpec& spec) {
  return {.isolated = spec.isolated, .learning = false, .flood = true};
}

NetlinkMessage set_forwarding(int device, const MacAddress& mac, const IpAddress& vtep) {
  NetlinkMessage message = neighbour_message(
      RTM_NEWNEIGH, kReplace, entry_header(AF_BRIDGE, device, NUD_PERMANENT | NUD_NOARP, NTF_SELF));
  message.put(NDA_LLADDR, mac.bytes()).put(NDA_DST, vtep.bytes());
  return message;
}

NetlinkMessage delete_forwarding(int device, const MacAddress& mac) {
  NetlinkMessage message =
      neighbour_message(RTM_DELNEIGH, 0, entry_header(AF_BRIDGE, device, 0, NTF_SELF));
  message.put(NDA_LLADDR, mac.bytes());
  return message;
}

NetlinkMessage get_forwarding(int device, const MacAddress& mac) {
  NetlinkMessage message =
      neighbour_message(RTM_GETNEIGH, 0, entry_header(AF_BRIDGE, device, 0, NTF_SELF));
  message.put(NDA_LLADDR, mac.bytes());
  return message;
}

NetlinkMessage set_bridge_entry(int port, const MacAddress& mac) {
  NetlinkMessage message = neighbour_message(RTM_NEWNEIGH, kReplace,
                                             entry_header(AF_BRIDGE, port, NUD_NOARP, NTF_MASTER));
  message.put(NDA_LLADDR, mac.bytes());
  return message;
}

NetlinkMessage dump_forwarding(int device) {
  return neighbour_message(RTM_GETNEIGH, 0, entry_header(AF_BRIDGE, device, 0, 0));
}

NetlinkMessage dump_neighbours(Family family, int device) {
  NetlinkMessage message = neighbour_message(RTM_GETNEIGH, 0, entry_header(af_of(family), 0, 0, 0));
  message.put_u32(NDA_IFINDEX, static_cast<std::uint32_t>(device));
  return message;
}

}  // namespace fairlead::kernel
