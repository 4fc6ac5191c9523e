#include "network/kernel/links/parse.h"

#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fairlead::kernel {

namespace {

std::optional<Family> family_of(std::uint8_t af) {
  if (af == AF_INET) return Family::kV4;
  if (af == AF_INET6) return Family::kV6;
  return std::nullopt;
}

std::optional<IpAddress> read_address(Family family, Bytes bytes) {
  if (bytes.size() != (family == Family::kV4 ? 4U : 16U)) return std::nullopt;
  return IpAddress::from_bytes(family, bytes);
}

// Entry `index` of an array of 32-bit settings (IFLA_INET_CONF, IFLA_INET6_CONF).
std::optional<std::uint32_t> array_entry(Bytes array, std::size_t index) {
  if (array.size() / 4 <= index) return std::nullopt;
  return read_struct<std::uint32_t>(array.subspan(index * 4));
}

std::uint16_t read_be16(Bytes bytes) {
  return bytes.size() < 2 ? std::uint16_t{0} : static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
}

void read_vxlan_attribute(const Attribute& attribute, VxlanDetails& vxlan) {
  switch (attribute.type) {
    case IFLA_VXLAN_ID:
      vxlan.vni = attribute.u32();
      break;
    case IFLA_VXLAN_PORT:
      vxlan.port = read_be16(attribute.data);
      break;
    case IFLA_VXLAN_LOCAL:
      vxlan.local = read_address(Family::kV4, attribute.data);
      break;
    case IFLA_VXLAN_LOCAL6:
      vxlan.local = read_address(Family::kV6, attribute.data);
      break;
    case IFLA_VXLAN_TTL:
      vxlan.ttl = attribute.u8();
      break;
    case IFLA_VXLAN_TOS:
      vxlan.tos = attribute.u8();
      break;
    case IFLA_VXLAN_LEARNING:
      vxlan.learning = attribute.u8() != 0;
      break;
    case IFLA_VXLAN_PROXY:
      vxlan.proxy = attribute.u8() != 0;
      break;
    case IFLA_VXLAN_LINK:
      vxlan.bound = attribute.u32() != 0;
      break;
    case IFLA_VXLAN_GROUP:
    case IFLA_VXLAN_GROUP6:
      vxlan.floods = true;
      break;
    case IFLA_VXLAN_COLLECT_METADATA:
      vxlan.collects = attribute.u8() != 0;
      break;
    default:
      break;
  }
}

VxlanDetails read_vxlan(Bytes bytes) {
  VxlanDetails vxlan;
  for (const Attribute& attribute : Attributes(bytes)) read_vxlan_attribute(attribute, vxlan);
  return vxlan;
}

PortFlags read_port_flags(Bytes bytes) {
  PortFlags flags;
  for (const Attribute& attribute : Attributes(bytes)) {
    const bool on = attribute.u8() != 0;
    if (attribute.type == IFLA_BRPORT_MODE) flags.hairpin = on;
    if (attribute.type == IFLA_BRPORT_ISOLATED) flags.isolated = on;
    if (attribute.type == IFLA_BRPORT_LEARNING) flags.learning = on;
    if (attribute.type == IFLA_BRPORT_UNICAST_FLOOD) flags.flood = on;
  }
  return flags;
}

void read_bridge(Bytes bytes, LinkDetails& details) {
  for (const Attribute& setting : Attributes(bytes)) {
    if (setting.type == IFLA_BR_MCAST_SNOOPING) details.multicast_snooping = setting.u8() != 0;
    if (setting.type == IFLA_BR_VLAN_FILTERING) details.vlan_filtering = setting.u8() != 0;
    if (setting.type == IFLA_BR_VLAN_DEFAULT_PVID)
      details.default_vlan = read_struct<std::uint16_t>(setting.data);
    if (setting.type == IFLA_BR_MULTI_BOOLOPT && setting.data.size() >= sizeof(br_boolopt_multi)) {
      br_boolopt_multi options{};
      std::memcpy(&options, setting.data.data(), sizeof options);
      details.link_local_learning = (options.optval & 1U << BR_BOOLOPT_NO_LL_LEARN) == 0;
    }
  }
  // A kernel without VLANs on bridges tells whether they are filtered, and nothing else of them
  // (net/bridge/br_netlink.c, br_fill_info).
  if (details.default_vlan) details.link.filters_vlans = details.vlan_filtering;
}

void read_linkinfo(Bytes bytes, LinkDetails& details) {
  std::string_view master_kind;
  for (const Attribute& info : Attributes(bytes)) {
    if (info.type == IFLA_INFO_KIND) details.link.kind = info.text();
    if (info.type == IFLA_INFO_DATA && details.link.kind == "bridge")
      read_bridge(info.data, details);
    if (info.type == IFLA_INFO_DATA && details.link.kind == "vxlan")
      details.vxlan = read_vxlan(info.data);
    if (info.type == IFLA_INFO_SLAVE_KIND) master_kind = info.text();
    if (info.type == IFLA_INFO_SLAVE_DATA && master_kind == "bridge")
      details.port_flags = read_port_flags(info.data);
  }
}

void read_af_spec(Bytes bytes, LinkDetails& details) {
  for (const Attribute& family : Attributes(bytes)) {
    for (const Attribute& setting : Attributes(family.data)) {
      if (family.type == AF_INET && setting.type == IFLA_INET_CONF) {
        if (const auto value = array_entry(setting.data, IPV4_DEVCONF_ROUTE_LOCALNET - 1))
          details.link.route_localnet = *value != 0;
      } else if (family.type == AF_INET6 && setting.type == IFLA_INET6_CONF) {
        if (const auto value = array_entry(setting.data, DEVCONF_ACCEPT_RA))
          details.accept_ra = static_cast<int>(*value);
      } else if (family.type == AF_INET6 && setting.type == IFLA_INET6_ADDR_GEN_MODE) {
        details.addr_gen_mode = setting.u8();
      }
    }
  }
}

void read_link_attribute(const Attribute& attribute, LinkDetails& details) {
  Link& link = details.link;
  switch (attribute.type) {
    case IFLA_IFNAME:
      link.name = attribute.text();
      break;
    case IFLA_MTU:
      link.mtu = attribute.u32();
      break;
    case IFLA_MASTER:
      link.master = attribute.i32();
      break;
    case IFLA_LINK:
      link.peer_index = attribute.i32();
      break;
    case IFLA_LINK_NETNSID:
      link.peer_elsewhere = true;
      break;
    case IFLA_IFALIAS:
      link.alias = attribute.text();
      break;
    case IFLA_ADDRESS:
      if (auto mac = MacAddress::from_bytes(attribute.data)) link.mac = *mac;
      break;
    case IFLA_PERM_ADDRESS:
      if (auto mac = MacAddress::from_bytes(attribute.data)) link.permanent_mac = *mac;
      break;
    case IFLA_LINKINFO:
      read_linkinfo(attribute.data, details);
      break;
    case IFLA_AF_SPEC:
      if (!details.bridge_port_event) read_af_spec(attribute.data, details);
      break;
    default:
      break;
  }
}

void read_metrics(Bytes bytes, RouteSpec& route) {
  for (const Attribute& metric : Attributes(bytes)) {
    if (metric.type == RTAX_MTU) route.mtu = metric.u32();
    if (metric.type == RTAX_ADVMSS) route.advmss = metric.u32();
  }
}

// RTA_VIA: a next hop of another family than the route's (RFC 5549), after the family as a 16-bit
// number.
std::optional<IpAddress> read_via(Bytes bytes) {
  const auto af = read_struct<std::uint16_t>(bytes);
  const auto family = af ? family_of(static_cast<std::uint8_t>(*af)) : std::nullopt;
  if (!family) return std::nullopt;
  return read_address(*family, bytes.subspan(2));
}

void read_first_nexthop(Bytes bytes, Family family, RouteDetails& details) {
  const auto hop = read_struct<rtnexthop>(bytes);
  if (!hop || hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > bytes.size()) return;
  details.ifindex = hop->rtnh_ifindex;
  for (const Attribute& attribute :
       Attributes(behind(bytes.first(hop->rtnh_len), sizeof(rtnexthop)))) {
    if (attribute.type == RTA_GATEWAY) details.route.via = read_address(family, attribute.data);
    if (attribute.type == RTA_VIA) details.route.via = read_via(attribute.data);
  }
}

void read_route_attribute(const Attribute& attribute, Family family, RouteDetails& details) {
  RouteSpec& route = details.route;
  switch (attribute.type) {
    case RTA_GATEWAY:
      route.via = read_address(family, attribute.data);
      break;
    case RTA_VIA:
      route.via = read_via(attribute.data);
      break;
    case RTA_OIF:
      details.ifindex = attribute.i32();
      break;
    case RTA_PRIORITY:
      route.priority = attribute.u32();
      break;
    case RTA_TABLE:
      route.table = attribute.u32();
      break;
    case RTA_METRICS:
      read_metrics(attribute.data, route);
      break;
    case RTA_MULTIPATH:
      read_first_nexthop(attribute.data, family, details);
      break;
    default:
      break;
  }
}

}  // namespace

std::optional<LinkDetails> parse_link(Bytes payload) {
  const auto header = read_struct<ifinfomsg>(payload);
  if (!header || header->ifi_index <= 0) return std::nullopt;
  LinkDetails details;
  details.link.index = header->ifi_index;
  details.link.up = (header->ifi_flags & IFF_UP) != 0;
  details.bridge_port_event = header->ifi_family == AF_BRIDGE;
  for (const Attribute& attribute : Attributes(behind(payload, sizeof(ifinfomsg))))
    read_link_attribute(attribute, details);
  return details;
}

std::vector<VlanDetails> parse_vlans(Bytes payload, int index) {
  std::vector<VlanDetails> vlans;
  const auto header = read_struct<ifinfomsg>(payload);
  if (!header || header->ifi_index != index) return vlans;
  for (const Attribute& attribute : Attributes(behind(payload, sizeof(ifinfomsg)))) {
    if (attribute.type != IFLA_AF_SPEC) continue;
    for (const Attribute& entry : Attributes(attribute.data)) {
      const auto info = read_struct<bridge_vlan_info>(entry.data);
      if (entry.type == IFLA_BRIDGE_VLAN_INFO && info)
        vlans.push_back({.id = info->vid,
                         .pvid = (info->flags & BRIDGE_VLAN_INFO_PVID) != 0,
                         .untagged = (info->flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0});
    }
  }
  return vlans;
}

std::optional<AddressDetails> parse_address(Bytes payload) {
  const auto header = read_struct<ifaddrmsg>(payload);
  const auto family = header ? family_of(header->ifa_family) : std::nullopt;
  if (!family) return std::nullopt;
  std::optional<IpAddress> local, address;
  for (const Attribute& attribute : Attributes(behind(payload, sizeof(ifaddrmsg)))) {
    if (attribute.type == IFA_LOCAL) local = read_address(*family, attribute.data);
    if (attribute.type == IFA_ADDRESS) address = read_address(*family, attribute.data);
  }
  // IFA_LOCAL is the link's own address. Without it IFA_ADDRESS is, which on point-to-point links
  // is the address of the peer.
  if (!local) local = address;
  if (!local) return std::nullopt;
  return AddressDetails{.ifindex = static_cast<int>(header->ifa_index),
                        .address = Cidr::of(*local, header->ifa_prefixlen)};
}

std::optional<RouteDetails> parse_route(Bytes payload) {
  const auto header = read_struct<rtmsg>(payload);
  const auto family = header ? family_of(header->rtm_family) : std::nullopt;
  if (!family) return std::nullopt;
  RouteDetails details;
  details.type = header->rtm_type;
  details.protocol = header->rtm_protocol;
  details.route.table = header->rtm_table;
  details.route.scope = header->rtm_scope;
  const Attributes attributes(behind(payload, sizeof(rtmsg)));
  std::optional<IpAddress> destination = IpAddress::any(*family);
  if (const auto given = attributes.find(RTA_DST)) destination = read_address(*family, given->data);
  if (!destination) return std::nullopt;
  details.route.destination = Cidr::of(*destination, header->rtm_dst_len);
  for (const Attribute& attribute : attributes) read_route_attribute(attribute, *family, details);
  return details;
}

std::optional<NeighbourDetails> parse_neighbour(Bytes payload) {
  const auto header = read_struct<ndmsg>(payload);
  if (!header || header->ndm_ifindex <= 0) return std::nullopt;
  NeighbourDetails details{.ifindex = header->ndm_ifindex,
                           .family = header->ndm_family,
                           .flags = header->ndm_flags,
                           .state = header->ndm_state};
  const Attributes attributes(behind(payload, sizeof(ndmsg)));
  if (const auto ip = attributes.find(NDA_DST))
    details.ip = read_address(ip->data.size() == 4 ? Family::kV4 : Family::kV6, ip->data);
  if (const auto mac = attributes.find(NDA_LLADDR)) {
    if (const auto parsed = MacAddress::from_bytes(mac->data)) details.mac = *parsed;
    if (std::ranges::equal(mac->data, MacAddress().bytes())) details.mac = MacAddress();
  }
  return details;
}

}  // namespace fairlead::kernel
