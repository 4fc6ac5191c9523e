// The sets and maps of the table.
#pragma once

#include <array>
#include <string_view>

namespace fairlead::nat {

struct SetDeclaration {
  std::string_view kind, name, type;
  std::string_view flags = {};
  // "typeof": `type` has expressions, for fields without a named type.
  std::string_view keyword = "type";
};

inline constexpr std::array kSets = {
    // Fairlead's bridges.
    SetDeclaration{"set", "bridges", "ifname"},
    // (in, out), both the same bridge: whether its containers may talk to each other.
    SetDeclaration{"map", "same_bridge", "ifname . ifname : verdict"},
    // (family, in): bridges whose traffic may not leave the network.
    SetDeclaration{"set", "closed", "nf_proto . ifname"},
    // (family, out): which traffic from outside may reach the network.
    SetDeclaration{"map", "towards", "nf_proto . ifname : verdict"},
    // Published ports on one address and on every address of the host.
    SetDeclaration{"map", "published_v4",
                   "inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service"},
    SetDeclaration{"map", "published_v6",
                   "inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service"},
    SetDeclaration{"map", "published_any_v4",
                   "inet_proto . inet_service : ipv4_addr . inet_service"},
    SetDeclaration{"map", "published_any_v6",
                   "inet_proto . inet_service : ipv6_addr . inet_service"},
    // Published ports of networks without NAT, by the container's own address.
    SetDeclaration{"set", "routed_v4", "inet_proto . ipv4_addr . inet_service"},
    SetDeclaration{"set", "routed_v6", "inet_proto . ipv6_addr . inet_service"},
    // (out, source): traffic through published ports that goes back to the subnet it came from.
    SetDeclaration{"set", "hairpin_v4", "ifname . ipv4_addr", "interval"},
    SetDeclaration{"set", "hairpin_v6", "ifname . ipv6_addr", "interval"},
    // Subnets whose packets leave the host with the host's source address.
    SetDeclaration{"set", "masquerade_v4", "ipv4_addr", "interval"},
    SetDeclaration{"set", "masquerade_v6", "ipv6_addr", "interval"},
    // (port, VNI) of Fairlead's tunnels. The VNI is the 24 bits that begin 12 bytes after the start
    // of the UDP header.
    SetDeclaration{"map", "tunnels", "udp dport . @th,96,24 : verdict", {}, "typeof"},
    SetDeclaration{"set", "secure_tunnels", "udp dport . @th,96,24", {}, "typeof"},
    // The hosts and links from which packets of tunnels are accepted.
    SetDeclaration{"set", "tunnel_hosts_v4", "ipv4_addr"},
    SetDeclaration{"set", "tunnel_hosts_v6", "ipv6_addr"},
    SetDeclaration{"set", "secure_links", "ifname"},
    // The ports of all tunnels of the cluster, including those of networks that this host does not
    // have.
    SetDeclaration{"set", "tunnel_ports", "inet_proto . inet_service"},
};

}  // namespace fairlead::nat
