// The sets and maps of the two tables.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "network/kernel/firewall/firewall.h"

namespace fairlead::nat {

struct SetDeclaration {
  std::string_view kind, name, type;
  std::string_view flags = {};
  // "typeof": `type` has expressions, for fields without a named type.
  std::string_view keyword = "type";
};

inline constexpr std::array kInetSets = {
    // Families that the host forwards only because Fairlead has switched it on.
    SetDeclaration{"set", "not_routed", "nf_proto"},
    // Fairlead's bridges, and how the names of the interfaces begin that have a container each and
    // no bridge (mode routed): an interval of names. All that is said of a bridge below is said of
    // these as well.
    SetDeclaration{"set", "bridges", "ifname", "interval"},
    // Bridges that are Fairlead's alone: what comes from them has a source that the host routes back
    // to them.
    SetDeclaration{"set", "own_bridges", "ifname", "interval"},
    // Bridges, and single addresses behind bridges of others, that reach nothing of the host except
    // their gateway's ping and DNS.
    SetDeclaration{"set", "confined", "ifname", "interval"},
    SetDeclaration{"set", "confined_v4", "ifname . ipv4_addr"},
    SetDeclaration{"set", "confined_v6", "ifname . ipv6_addr"},
    // (in, out): interfaces from which all ports of the containers may be reached.
    SetDeclaration{"set", "trusted", "ifname . ifname", "interval"},
    // (in, out), both the same bridge: whether its containers may talk to each other.
    // It is asked for every packet, so it has bridges alone.
    SetDeclaration{"map", "same_bridge", "ifname . ifname : verdict"},
    // The same of interfaces without a bridge, (in, out) both of one network.
    SetDeclaration{"map", "same_routed", "ifname . ifname : verdict", "interval"},
    // (in, address): the gateways of networks without a bridge, which no interface of theirs has.
    SetDeclaration{"set", "gateways_v4", "ifname . ipv4_addr", "interval"},
    SetDeclaration{"set", "gateways_v6", "ifname . ipv6_addr", "interval"},
    // (in, destination of the packet that an ICMP error quotes): 24 bytes after the start of the
    // header in ICMP (RFC 792), 32 bytes in ICMPv6 (RFC 4443 section 3).
    SetDeclaration{"set", "reported_v4", "iifname . @th,192,32", {}, "typeof"},
    SetDeclaration{"set", "reported_v6", "iifname . @th,256,128", {}, "typeof"},
    // (family, in): bridges whose traffic may not leave the network.
    SetDeclaration{"set", "closed", "nf_proto . ifname", "interval"},
    // (family, out): which traffic from outside may reach the network.
    SetDeclaration{"map", "towards", "nf_proto . ifname : verdict", "interval"},
    // Published ports on one address of the host, and on every one. Those on one address are reached
    // through the interface that has it, except those in the weak maps (the kernel's weak host
    // model, RFC 1122 section 3.3.4.2).
    SetDeclaration{"map", "published_v4",
                   "inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service"},
    SetDeclaration{"map", "published_v6",
                   "inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service"},
    SetDeclaration{"map", "published_weak_v4",
                   "inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service"},
    SetDeclaration{"map", "published_weak_v6",
                   "inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service"},
    SetDeclaration{"map", "published_any_v4",
                   "inet_proto . inet_service : ipv4_addr . inet_service"},
    SetDeclaration{"map", "published_any_v6",
                   "inet_proto . inet_service : ipv6_addr . inet_service"},
    // Ranges of published ports, each as one element; the port stays what it is.
    SetDeclaration{"map", "ranges_v4", "inet_proto . ipv4_addr . inet_service : ipv4_addr",
                   "interval"},
    SetDeclaration{"map", "ranges_v6", "inet_proto . ipv6_addr . inet_service : ipv6_addr",
                   "interval"},
    SetDeclaration{"map", "ranges_weak_v4", "inet_proto . ipv4_addr . inet_service : ipv4_addr",
                   "interval"},
    SetDeclaration{"map", "ranges_weak_v6", "inet_proto . ipv6_addr . inet_service : ipv6_addr",
                   "interval"},
    SetDeclaration{"map", "ranges_any_v4", "inet_proto . inet_service : ipv4_addr", "interval"},
    SetDeclaration{"map", "ranges_any_v6", "inet_proto . inet_service : ipv6_addr", "interval"},
    // Published ports that take so many connections at once: those that are reached through the
    // interface that has the address or every one, and those that are reached through every one.
    // Ports on every address are elements for all addresses.
    SetDeclaration{"map", "limits_v4", "inet_proto . ipv4_addr . inet_service : verdict",
                   "interval"},
    SetDeclaration{"map", "limits_v6", "inet_proto . ipv6_addr . inet_service : verdict",
                   "interval"},
    SetDeclaration{"map", "limits_weak_v4", "inet_proto . ipv4_addr . inet_service : verdict",
                   "interval"},
    SetDeclaration{"map", "limits_weak_v6", "inet_proto . ipv6_addr . inet_service : verdict",
                   "interval"},
    // The same of networks without NAT, by the container's own address.
    SetDeclaration{"map", "limits_routed_v4", "inet_proto . ipv4_addr . inet_service : verdict"},
    SetDeclaration{"map", "limits_routed_v6", "inet_proto . ipv6_addr . inet_service : verdict"},
    // Published ports of networks without NAT, by the container's own address.
    SetDeclaration{"set", "routed_v4", "inet_proto . ipv4_addr . inet_service"},
    SetDeclaration{"set", "routed_v6", "inet_proto . ipv6_addr . inet_service"},
    // Subnets whose published ports are translated.
    SetDeclaration{"set", "translated_v4", "ipv4_addr", "interval"},
    SetDeclaration{"set", "translated_v6", "ipv6_addr", "interval"},
    SetDeclaration{"set", "routed_ranges_v4", "inet_proto . ipv4_addr . inet_service", "interval"},
    SetDeclaration{"set", "routed_ranges_v6", "inet_proto . ipv6_addr . inet_service", "interval"},
    // (out, source): traffic through published ports that goes back to the subnet it came from.
    SetDeclaration{"set", "hairpin_v4", "ifname . ipv4_addr", "interval"},
    SetDeclaration{"set", "hairpin_v6", "ifname . ipv6_addr", "interval"},
    // Subnets whose packets leave the host with the host's source address.
    SetDeclaration{"set", "masquerade_v4", "ipv4_addr", "interval"},
    SetDeclaration{"set", "masquerade_v6", "ipv6_addr", "interval"},
    // (subnet, destinations) that see the container's own address.
    SetDeclaration{"set", "unmasked_v4", "ipv4_addr . ipv4_addr", "interval"},
    SetDeclaration{"set", "unmasked_v6", "ipv6_addr . ipv6_addr", "interval"},
    // Subnets that leave the host under an address of their own, and those of which that has a range
    // of ports. (Not IPv6's: nft 1.0.6 loads ranges of addresses and ports from wrong registers.)
    SetDeclaration{"map", "snat_v4", "ipv4_addr : ipv4_addr", "interval"},
    SetDeclaration{"map", "snat_v6", "ipv6_addr : ipv6_addr", "interval"},
    SetDeclaration{"map", "snat_ports_v4", "ipv4_addr : interval ipv4_addr . inet_service",
                   "interval"},
    // (in, destination) of questions to published ports, whose answers leave by another way than the
    // host's first: the mark of that way. The routing rules of these marks are those of
    // kernel::AnswerRoute.
    SetDeclaration{"map", "uplinks_v4", "ifname . ipv4_addr : mark"},
    SetDeclaration{"map", "uplinks_v6", "ifname . ipv6_addr : mark"},
    SetDeclaration{"set", "uplink_marks", "mark"},
    // UDP ports that are published on every address, and (in, sources, destination) of broadcasts to
    // them: the host's own address there.
    SetDeclaration{"set", "broadcast_ports", "inet_service"},
    SetDeclaration{"map", "broadcasts", "ifname . ipv4_addr . ipv4_addr : ipv4_addr", "interval"},
    // (in, destination) of questions for names that the name service answers: the network's gateway and
    // the service's port there. The same of the host's own, which ask a gateway.
    SetDeclaration{"map", "questions_v4", "ifname . ipv4_addr : ipv4_addr . inet_service",
                   "interval"},
    SetDeclaration{"map", "questions_v6", "ifname . ipv6_addr : ipv6_addr . inet_service",
                   "interval"},
    SetDeclaration{"map", "own_questions_v4", "ipv4_addr : ipv4_addr . inet_service"},
    SetDeclaration{"map", "own_questions_v6", "ipv6_addr : ipv6_addr . inet_service"},
    // Bridges whose containers reach nothing but what policies allow.
    SetDeclaration{"set", "no_egress", "ifname", "interval"},
    // Policies: who begins a connection, with whom, and the service: every protocol among these, or
    // these ports of one that has any. Of those to the host whom is any address of the host.
    SetDeclaration{"map", "policy_v4", "ipv4_addr . ipv4_addr . inet_proto : verdict", "interval"},
    SetDeclaration{"map", "policy_v6", "ipv6_addr . ipv6_addr . inet_proto : verdict", "interval"},
    SetDeclaration{"map", "policy_ports_v4",
                   "ipv4_addr . ipv4_addr . inet_proto . inet_service : verdict", "interval"},
    SetDeclaration{"map", "policy_ports_v6",
                   "ipv6_addr . ipv6_addr . inet_proto . inet_service : verdict", "interval"},
    SetDeclaration{"map", "policy_host_v4", "ipv4_addr . inet_proto : verdict", "interval"},
    SetDeclaration{"map", "policy_host_v6", "ipv6_addr . inet_proto : verdict", "interval"},
    SetDeclaration{"map", "policy_host_ports_v4", "ipv4_addr . inet_proto . inet_service : verdict",
                   "interval"},
    SetDeclaration{"map", "policy_host_ports_v6", "ipv6_addr . inet_proto . inet_service : verdict",
                   "interval"},
    // Families in which there are any.
    SetDeclaration{"set", "policies", "nf_proto"},
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

inline constexpr std::array kBridgeSets = {
    // (port, source MAC) of each endpoint, and with the addresses that it may send from.
    SetDeclaration{"set", "senders", "ifname . ether_addr"},
    SetDeclaration{"set", "senders_v4", "ifname . ether_addr . ipv4_addr"},
    SetDeclaration{"set", "senders_v6", "ifname . ether_addr . ipv6_addr"},
    // Those that may ask a DHCP server for an address.
    SetDeclaration{"set", "dhcp_clients", "ifname . ether_addr"},
    // (port, destination of the packet that an ICMP error quotes), 24 bytes after the start of the
    // ICMP header (RFC 792).
    SetDeclaration{"set", "quoted_v4", "iifname . @th,192,32", {}, "typeof"},
    // (port, address) as neighbour discovery and ICMPv6 errors have it: a target begins 8 bytes after
    // the start of the ICMPv6 header (RFC 4861 sections 4.3 and 4.4), the destination of a quoted
    // packet 32 bytes (RFC 4443 section 3).
    SetDeclaration{"set", "targets_v6", "iifname . @th,64,128", {}, "typeof"},
    // Ports of endpoints that may send anything.
    SetDeclaration{"set", "unchecked", "ifname"},
};

constexpr std::span<const SetDeclaration> sets_of(kernel::TableFamily family) {
  if (family == kernel::TableFamily::kInet) return kInetSets;
  return kBridgeSets;
}

}  // namespace fairlead::nat
