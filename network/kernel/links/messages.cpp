#include "network/kernel/links/messages.h"

#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netinet/in.h>

#include <array>

namespace fairlead::kernel {

namespace {

std::uint8_t af_of(Family family) { return family == Family::kV4 ? AF_INET : AF_INET6; }

ifinfomsg link_header(int index, LinkState state = LinkState::kKeep) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = index;
  if (state != LinkState::kKeep) header.ifi_change = IFF_UP;
  if (state == LinkState::kUp) header.ifi_flags = IFF_UP;
  return header;
}

// A request for one link, without its 64 counters.
NetlinkMessage get_link_without_counters(int index) {
  NetlinkMessage message(RTM_GETLINK, 0);
  message.put_struct(link_header(index)).put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return message;
}

void put_queues(NetlinkMessage& message, unsigned queues) {
  message.put_u32(IFLA_NUM_TX_QUEUES, queues).put_u32(IFLA_NUM_RX_QUEUES, queues);
}

void put_peer(NetlinkMessage& message, const VethSpec& spec) {
  const auto peer = message.nest(VETH_INFO_PEER);
  message.put_struct(link_header(0))
      .put_text(IFLA_IFNAME, spec.peer_name.str())
      .put_u32(IFLA_MTU, spec.mtu);
  if (spec.peer_mac != MacAddress()) message.put(IFLA_ADDRESS, spec.peer_mac.bytes());
  if (spec.peer_netns_fd >= 0)
    message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(spec.peer_netns_fd));
  put_queues(message, spec.queues);
}

void put_metrics(NetlinkMessage& message, const RouteSpec& route) {
  if (!route.mtu && !route.advmss) return;
  const auto metrics = message.nest(RTA_METRICS);
  if (route.mtu) message.put_u32(RTAX_MTU, *route.mtu);
  if (route.advmss) message.put_u32(RTAX_ADVMSS, *route.advmss);
}

ndmsg neighbour_header(int index, const IpAddress& address, std::uint16_t state,
                       std::uint8_t flags) {
  ndmsg header{};
  header.ndm_family = static_cast<std::uint8_t>(af_of(address.family()));
  header.ndm_ifindex = index;
  header.ndm_state = state;
  header.ndm_flags = flags;
  return header;
}

void put_gateway(NetlinkMessage& message, const RouteSpec& route) {
  if (!route.via) return;
  if (route.via->family() == route.destination.family()) {
    message.put(RTA_GATEWAY, route.via->bytes());
    return;
  }
  const std::uint16_t af = af_of(route.via->family());
  std::vector<std::uint8_t> via(sizeof(af));
  std::memcpy(via.data(), &af, sizeof(af));
  via.insert(via.end(), route.via->bytes().begin(), route.via->bytes().end());
  message.put(RTA_VIA, via);
}

NetlinkMessage address_message(std::uint16_t type, int flags, int index, const Cidr& address) {
  static const Cidr kLinkLocal = Cidr::of(*IpAddress::parse("fe80::"), 10);
  NetlinkMessage message(type, flags);
  ifaddrmsg header{};
  header.ifa_family = af_of(address.family());
  header.ifa_prefixlen = static_cast<std::uint8_t>(address.prefix_length());
  header.ifa_index = static_cast<std::uint32_t>(index);
  header.ifa_scope = kLinkLocal.contains(address.address()) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  message.put_struct(header).put(IFA_LOCAL, address.address().bytes());
  return message;
}

}  // namespace

MacAddress host_side_mac(const IfName& name) {
  return MacAddress::from_hash("host side of " + name.str());
}

NetlinkMessage get_link(const IfName& name) {
  NetlinkMessage message = get_link_without_counters(0);
  message.put_text(IFLA_IFNAME, name.str());
  return message;
}

NetlinkMessage get_link(int index) { return get_link_without_counters(index); }

NetlinkMessage change_link(int index, LinkState state) {
  NetlinkMessage message(RTM_NEWLINK, 0);
  message.put_struct(link_header(index, state));
  return message;
}

NetlinkMessage delete_link(int index) {
  NetlinkMessage message(RTM_DELLINK, 0);
  message.put_struct(link_header(index));
  return message;
}

NetlinkMessage new_link(LinkState state) {
  NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO);
  message.put_struct(link_header(0, state));
  return message;
}

// A frame to 01:80:c2:00:00:0x passes no rule of a firewall before the bridge learns its source
// (net/bridge/br_input.c, br_handle_frame): a container would take over another one's MAC.
void put_bridge_settings(NetlinkMessage& message) {
  constexpr std::uint32_t kNoLinkLocalLearning = 1U << BR_BOOLOPT_NO_LL_LEARN;
  const br_boolopt_multi options{.optval = kNoLinkLocalLearning, .optmask = kNoLinkLocalLearning};
  message.put_u8(IFLA_BR_MCAST_SNOOPING, 0)
      .put(IFLA_BR_MULTI_BOOLOPT,
           {reinterpret_cast<const std::uint8_t*>(&options), sizeof options});
}

NetlinkMessage create_bridge(const BridgeSpec& spec) {
  NetlinkMessage message = new_link(LinkState::kKeep);
  message.put_text(IFLA_IFNAME, spec.name.str()).put(IFLA_ADDRESS, spec.mac.bytes());
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, "bridge");
  const auto data = message.nest(IFLA_INFO_DATA);
  put_bridge_settings(message);
  if (spec.vlan) put_bridge_vlan(message, *spec.vlan);
  return message;
}

// The default of ports and of the bridge itself (net/bridge/br_vlan.c, __br_vlan_set_default_pvid).
void put_bridge_vlan(NetlinkMessage& message, std::uint16_t vlan) {
  message.put_u8(IFLA_BR_VLAN_FILTERING, 1).put_u16(IFLA_BR_VLAN_DEFAULT_PVID, vlan);
}

namespace {

NetlinkMessage vlan_message(std::uint16_t type, int index, std::uint16_t vlan,
                            std::uint16_t flags) {
  NetlinkMessage message(type, 0);
  ifinfomsg header = link_header(index);
  header.ifi_family = AF_BRIDGE;
  message.put_struct(header);
  const bridge_vlan_info info{.flags = flags, .vid = vlan};
  const auto spec = message.nest(IFLA_AF_SPEC);
  message.put(IFLA_BRIDGE_VLAN_INFO, {reinterpret_cast<const std::uint8_t*>(&info), sizeof info});
  return message;
}

}  // namespace

NetlinkMessage add_access_vlan(int index, std::uint16_t vlan) {
  return vlan_message(RTM_SETLINK, index, vlan, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
}

NetlinkMessage delete_vlan(int index, std::uint16_t vlan) {
  return vlan_message(RTM_DELLINK, index, vlan, 0);
}

NetlinkMessage dump_vlans() {
  NetlinkMessage message(RTM_GETLINK, NLM_F_DUMP);
  ifinfomsg header = link_header(0);
  header.ifi_family = AF_BRIDGE;
  message.put_struct(header).put_u32(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN);
  return message;
}

NetlinkMessage create_veth_pair(const VethSpec& spec, LinkState host_state) {
  NetlinkMessage message = new_link(host_state);
  message.put_text(IFLA_IFNAME, spec.host_name.str())
      .put(IFLA_ADDRESS, host_side_mac(spec.host_name).bytes())
      .put_u32(IFLA_MTU, spec.mtu);
  if (spec.master != 0) message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(spec.master));
  put_queues(message, spec.queues);
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, "veth");
  const auto data = message.nest(IFLA_INFO_DATA);
  put_peer(message, spec);
  return message;
}

NetlinkMessage create_macvlan(const MacvlanSpec& spec) {
  const auto mode = [&] {
    switch (spec.mode) {
      case MacvlanMode::kBridge:
        return MACVLAN_MODE_BRIDGE;
      case MacvlanMode::kPrivate:
        return MACVLAN_MODE_PRIVATE;
      case MacvlanMode::kVepa:
        return MACVLAN_MODE_VEPA;
      case MacvlanMode::kPassthru:
        return MACVLAN_MODE_PASSTHRU;
    }
    return MACVLAN_MODE_BRIDGE;
  };
  NetlinkMessage message = new_link(LinkState::kKeep);
  message.put_text(IFLA_IFNAME, spec.name.str())
      .put_u32(IFLA_LINK, static_cast<std::uint32_t>(spec.parent))
      .put_u32(IFLA_MTU, spec.mtu);
  if (spec.mode != MacvlanMode::kPassthru) message.put(IFLA_ADDRESS, spec.mac.bytes());
  if (spec.netns_fd >= 0)
    message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(spec.netns_fd));
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, "macvlan");
  const auto data = message.nest(IFLA_INFO_DATA);
  message.put_u32(IFLA_MACVLAN_MODE, mode());
  return message;
}

NetlinkMessage create_ipvlan(const IpvlanSpec& spec) {
  constexpr std::array kModes{IPVLAN_MODE_L2, IPVLAN_MODE_L3, IPVLAN_MODE_L3S};
  constexpr std::array<std::uint16_t, 3> kFlags{0, IPVLAN_F_PRIVATE, IPVLAN_F_VEPA};
  NetlinkMessage message = new_link(LinkState::kKeep);
  message.put_text(IFLA_IFNAME, spec.name.str())
      .put_u32(IFLA_LINK, static_cast<std::uint32_t>(spec.parent))
      .put_u32(IFLA_MTU, spec.mtu);
  if (spec.netns_fd >= 0)
    message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(spec.netns_fd));
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, "ipvlan");
  const auto data = message.nest(IFLA_INFO_DATA);
  message
      .put_u16(IFLA_IPVLAN_MODE,
               static_cast<std::uint16_t>(kModes.at(static_cast<std::size_t>(spec.mode))))
      .put_u16(IFLA_IPVLAN_FLAGS, kFlags.at(static_cast<std::size_t>(spec.flag)));
  return message;
}

NetlinkMessage create_vlan(const VlanSpec& spec) {
  NetlinkMessage message = new_link(LinkState::kUp);
  message.put_text(IFLA_IFNAME, spec.name.str())
      .put_u32(IFLA_LINK, static_cast<std::uint32_t>(spec.parent));
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, "vlan");
  const auto data = message.nest(IFLA_INFO_DATA);
  message.put_u16(IFLA_VLAN_ID, spec.id);
  return message;
}

NetlinkMessage rename_link(int index, const IfName& name, int netns_fd) {
  NetlinkMessage message = change_link(index);
  message.put_text(IFLA_IFNAME, name.str());
  if (netns_fd >= 0) message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns_fd));
  return message;
}

NetlinkMessage create_without_parent(const std::string& kind) {
  NetlinkMessage message = new_link(LinkState::kKeep);
  message.put_text(IFLA_IFNAME, "flprobe");
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, kind);
  return message;
}

NetlinkMessage create_ifb(const IfName& name) {
  NetlinkMessage message = new_link(LinkState::kKeep);
  message.put_text(IFLA_IFNAME, name.str()).put(IFLA_ADDRESS, host_side_mac(name).bytes());
  put_queues(message, 1);
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, "ifb");
  return message;
}

void put_family_settings(NetlinkMessage& message, const FamilySettings& settings) {
  const auto af_spec = message.nest(IFLA_AF_SPEC);
  if (settings.route_localnet || settings.arp_notify || settings.proxy_arp) {
    const auto inet = message.nest(AF_INET);
    const auto conf = message.nest(IFLA_INET_CONF);
    if (settings.route_localnet)
      message.put_u32(IPV4_DEVCONF_ROUTE_LOCALNET, *settings.route_localnet ? 1 : 0);
    if (settings.arp_notify) message.put_u32(IPV4_DEVCONF_ARP_NOTIFY, *settings.arp_notify ? 1 : 0);
    if (settings.proxy_arp) message.put_u32(IPV4_DEVCONF_PROXY_ARP, *settings.proxy_arp ? 1 : 0);
  }
  if (settings.no_link_local) {
    const auto inet6 = message.nest(AF_INET6);
    message.put_u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  }
}

tcmsg traffic_header(int index, std::uint32_t parent, std::uint32_t handle) {
  tcmsg header{};
  header.tcm_family = AF_UNSPEC;
  header.tcm_ifindex = index;
  header.tcm_parent = parent;
  header.tcm_handle = handle;
  return header;
}

void put_port_flags(NetlinkMessage& message, PortFlags flags) {
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_SLAVE_KIND, "bridge");
  const auto data = message.nest(IFLA_INFO_SLAVE_DATA);
  message.put_u8(IFLA_BRPORT_MODE, flags.hairpin ? 1 : 0)
      .put_u8(IFLA_BRPORT_ISOLATED, flags.isolated ? 1 : 0)
      .put_u8(IFLA_BRPORT_LEARNING, flags.learning ? 1 : 0)
      .put_u8(IFLA_BRPORT_UNICAST_FLOOD, flags.flood ? 1 : 0);
}

NetlinkMessage add_address(int index, const Cidr& address) {
  NetlinkMessage message = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, address);
  message.put(IFA_ADDRESS, address.address().bytes())
      .put_u32(IFA_FLAGS, address.is_v4() ? 0 : IFA_F_NODAD);
  if (address.is_v4() && address.prefix_length() < 31)
    message.put(IFA_BROADCAST, address.last().bytes());
  return message;
}

NetlinkMessage delete_address(int index, const Cidr& address) {
  return address_message(RTM_DELADDR, 0, index, address);
}

NetlinkMessage add_route(int index, const RouteSpec& route) {
  NetlinkMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
  const std::uint32_t table = route.table.value_or(RT_TABLE_MAIN);
  rtmsg header{};
  header.rtm_family = af_of(route.destination.family());
  header.rtm_dst_len = static_cast<std::uint8_t>(route.destination.prefix_length());
  header.rtm_table = table < 256 ? static_cast<std::uint8_t>(table) : std::uint8_t{RT_TABLE_UNSPEC};
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = static_cast<std::uint8_t>(
      route.scope.value_or(route.via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK));
  header.rtm_type = RTN_UNICAST;
  message.put_struct(header);
  if (route.destination.prefix_length() != 0)
    message.put(RTA_DST, route.destination.first().bytes());
  message.put_u32(RTA_OIF, static_cast<std::uint32_t>(index)).put_u32(RTA_TABLE, table);
  put_gateway(message, route);
  if (route.priority) message.put_u32(RTA_PRIORITY, *route.priority);
  put_metrics(message, route);
  return message;
}

NetlinkMessage lead_address(int index, const IpAddress& address,
                            const std::optional<IpAddress>& source) {
  NetlinkMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  rtmsg header{};
  header.rtm_family = af_of(address.family());
  header.rtm_dst_len = static_cast<std::uint8_t>(address.bytes().size() * 8);
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = address.is_v4() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  message.put_struct(header)
      .put(RTA_DST, address.bytes())
      .put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  if (source) message.put(RTA_PREFSRC, source->bytes());
  return message;
}

NetlinkMessage set_neighbour(int index, const IpAddress& address, const MacAddress& mac) {
  NetlinkMessage message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  message.put_struct(neighbour_header(index, address, NUD_PERMANENT, 0))
      .put(NDA_DST, address.bytes())
      .put(NDA_LLADDR, mac.bytes());
  return message;
}

NetlinkMessage set_proxy(int index, const IpAddress& address) {
  NetlinkMessage message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  message.put_struct(neighbour_header(index, address, NUD_PERMANENT, NTF_PROXY))
      .put(NDA_DST, address.bytes());
  return message;
}

NetlinkMessage delete_proxy(int index, const IpAddress& address) {
  NetlinkMessage message(RTM_DELNEIGH, 0);
  message.put_struct(neighbour_header(index, address, 0, NTF_PROXY)).put(NDA_DST, address.bytes());
  return message;
}

NetlinkMessage look_up_route(const IpAddress& destination) {
  NetlinkMessage message(RTM_GETROUTE, 0);
  rtmsg header{};
  header.rtm_family = af_of(destination.family());
  header.rtm_dst_len = static_cast<std::uint8_t>(destination.bytes().size() * 8);
  message.put_struct(header).put(RTA_DST, destination.bytes());
  return message;
}

NetlinkMessage delete_neighbour(int index, const IpAddress& address) {
  NetlinkMessage message(RTM_DELNEIGH, 0);
  message.put_struct(neighbour_header(index, address, 0, 0)).put(NDA_DST, address.bytes());
  return message;
}

NetlinkMessage dump_links() { return get_link_without_counters(0); }

NetlinkMessage dump_addresses(Family family, int index) {
  NetlinkMessage message(RTM_GETADDR, 0);
  ifaddrmsg header{};
  header.ifa_family = af_of(family);
  header.ifa_index = static_cast<std::uint32_t>(index);
  message.put_struct(header);
  return message;
}

NetlinkMessage dump_routes(Family family, int index, std::uint32_t table) {
  NetlinkMessage message(RTM_GETROUTE, 0);
  rtmsg header{};
  header.rtm_family = af_of(family);
  message.put_struct(header);
  if (table != RT_TABLE_UNSPEC) message.put_u32(RTA_TABLE, table);
  if (index != 0) message.put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  return message;
}

}  // namespace fairlead::kernel
