#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <map>
#include <set>

#include "base/hash.h"
#include "network/nat/bridge_chains.h"
#include "network/nat/entries.h"
#include "network/nat/limits.h"
#include "network/nat/nat.h"
#include "network/nat/sets.h"

namespace fairlead::nat {

namespace {

// The rules of `inet fairlead`, which are the same for all networks. Traffic of other interfaces is not affected:
// every policy is accept, and an accept here ends only the chain of this table. There are no
// anonymous sets, because Firewall::differences() does not compare their elements.
constexpr std::string_view kInetChains = R"(
	# What published ports receive and send, for people to look at: packets make the elements, so that a port costs
	# nothing more when it is published. Whoever is not asked for a day is forgotten. Families are counted once somebody
	# has looked (service/traffic.h).
	set counted {
		type nf_proto
	}

	set traffic_in_v4 {
		type inet_proto . ipv4_addr . inet_service
		size 65535
		flags dynamic,timeout
		timeout 1d
	}

	set traffic_in_v6 {
		type inet_proto . ipv6_addr . inet_service
		size 65535
		flags dynamic,timeout
		timeout 1d
	}

	set traffic_out_v4 {
		type inet_proto . ipv4_addr . inet_service
		size 65535
		flags dynamic,timeout
		timeout 1d
	}

	set traffic_out_v6 {
		type inet_proto . ipv6_addr . inet_service
		size 65535
		flags dynamic,timeout
		timeout 1d
	}

	# Translated and not yet translated back: the container's end of the flow has its own address. ICMP errors have no
	# ports.
	chain traffic {
		type filter hook postrouting priority filter; policy accept;
		ct status dnat ct state != related meta nfproto @counted goto count_traffic
	}

	chain count_traffic {
		ct direction reply goto count_out
		update @traffic_in_v4 { meta l4proto . ip daddr . th dport counter }
		update @traffic_in_v6 { meta l4proto . ip6 daddr . th dport counter }
	}

	chain count_out {
		update @traffic_out_v4 { meta l4proto . ip saddr . th sport counter }
		update @traffic_out_v6 { meta l4proto . ip6 saddr . th sport counter }
	}

	# Bridges carry route_localnet=1 for ports published on 127.0.0.1: without this a container would reach the host's
	# own loopback services, or speak under a loopback address.
	chain guard {
		type filter hook prerouting priority raw; policy accept;
		iifname @bridges ip daddr 127.0.0.0/8 drop
		iifname @bridges ip saddr 127.0.0.0/8 drop
		meta pkttype broadcast udp dport @broadcast_ports goto broadcast
	}

	# Before its flow is known, a broadcast to a published port becomes a packet to the host's own address: the answer
	# leaves under that. Only for who is on the link, so that nobody far away makes all hosts of a subnet answer.
	chain broadcast {
		ip daddr set iifname . ip saddr . ip daddr map @broadcasts meta pkttype set host
	}

	# With br_netfilter this chain sees a frame before it reaches the bridge and the bridge's own filter
	# (kernel::kTranslatedMark). What goes to a loopback address here was translated: it is an answer.
	chain translated {
		type filter hook prerouting priority dstnat + 10; policy accept;
		iifname @bridges ip daddr 127.0.0.0/8 meta mark set 0x00666c6f
		ct status ! dnat return
		ct state new ct mark 0x0 jump asked
		meta mark 0x0 ct mark @uplink_marks meta mark set ct mark
	}

	# The answer's source is the container until it has been routed, so that no rule for the address that was asked
	# finds it: the flow remembers the way, unless it has a mark already, which is others'. Others' translated flows
	# are left alone. Questions carry the mark as well, for a host that looks whether it would answer through the interface (rp_filter).
	chain asked {
		ip daddr @translated_v4 ct mark set iifname . ct original ip daddr map @uplinks_v4
		ip6 daddr @translated_v6 ct mark set iifname . ct original ip6 daddr map @uplinks_v6
	}

	# Loopback destinations on the wire are never ours to translate: real ones pass the output hook. A port on one address
	# is published where that address is, and for the bridges' containers.
	chain nat_prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 127.0.0.0/8 return
		ip6 daddr ::1 return
		udp dport 53 iifname @bridges jump questions
		tcp dport 53 iifname @bridges jump questions
		fib daddr . iif type local goto publish
		iifname @bridges fib daddr type local goto publish
		fib daddr type local goto publish_weak
	}

	chain nat_output {
		type nat hook output priority -100; policy accept;
		udp dport 53 jump own_questions
		tcp dport 53 jump own_questions
		fib daddr type local goto publish
	}

	# The name service has a port of its own, so that a gateway's port 53 can be anybody's; whoever asks there, or asks the
	# host's own servers out of a network, asks the name service all the same.
	chain questions {
		meta l4proto 17 dnat ip to iifname . ip daddr map @questions_v4
		meta l4proto 17 dnat ip6 to iifname . ip6 daddr map @questions_v6
		meta l4proto 6 dnat ip to iifname . ip daddr map @questions_v4
		meta l4proto 6 dnat ip6 to iifname . ip6 daddr map @questions_v6
	}

	chain own_questions {
		meta l4proto 17 dnat ip to ip daddr map @own_questions_v4
		meta l4proto 17 dnat ip6 to ip6 daddr map @own_questions_v6
		meta l4proto 6 dnat ip to ip daddr map @own_questions_v4
		meta l4proto 6 dnat ip6 to ip6 daddr map @own_questions_v6
	}

	# A port that has as many connections as it may have takes no more, and is not translated.
	chain publish {
		meta l4proto . ip daddr . th dport vmap @limits_v4
		meta l4proto . ip6 daddr . th dport vmap @limits_v6
		dnat ip to meta l4proto . ip daddr . th dport map @published_v4
		dnat ip to meta l4proto . ip daddr . th dport map @ranges_v4
		dnat ip6 to meta l4proto . ip6 daddr . th dport map @published_v6
		dnat ip6 to meta l4proto . ip6 daddr . th dport map @ranges_v6
		goto publish_everywhere
	}

	chain publish_weak {
		meta l4proto . ip daddr . th dport vmap @limits_weak_v4
		meta l4proto . ip6 daddr . th dport vmap @limits_weak_v6
		goto publish_everywhere
	}

	chain publish_everywhere {
		dnat ip to meta l4proto . ip daddr . th dport map @published_weak_v4
		dnat ip to meta l4proto . ip daddr . th dport map @ranges_weak_v4
		dnat ip to meta l4proto . th dport map @published_any_v4
		dnat ip to meta l4proto . th dport map @ranges_any_v4
		dnat ip6 to meta l4proto . ip6 daddr . th dport map @published_weak_v6
		dnat ip6 to meta l4proto . ip6 daddr . th dport map @ranges_weak_v6
		dnat ip6 to meta l4proto . th dport map @published_any_v6
		dnat ip6 to meta l4proto . th dport map @ranges_any_v6
	}

	# One connection too many (limits.cpp): a client of TCP is told at once. 6 is TCP, whose name needs /etc/protocols.
	chain refused {
		meta l4proto 6 reject with tcp reset
		drop
	}

	# Without NAT a port has no number but the container's. Unanswered datagrams of a flow are all new, and count once.
	chain limits_routed {
		meta l4proto . ip daddr . th dport vmap @limits_routed_v4
		meta l4proto . ip6 daddr . th dport vmap @limits_routed_v6
	}

	# The client's address stays, except where the answer would not come back through the host: a container that speaks
	# to its own subnet through a published port, and the host's loopback addresses. What the host says to itself under a
	# gateway's address stays in the host.
	chain nat_postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ct status dnat oifname . ip saddr @hairpin_v4 masquerade
		ct status dnat oifname . ip6 saddr @hairpin_v6 masquerade
		oifname @bridges ip saddr 127.0.0.0/8 masquerade
		oifname @bridges ip6 saddr ::1 masquerade
		oifname @bridges return
		oifname "lo" return
		ip saddr . ip daddr @unmasked_v4 return
		ip6 saddr . ip6 daddr @unmasked_v6 return
		meta l4proto 6 snat ip to ip saddr map @snat_ports_v4
		meta l4proto 17 snat ip to ip saddr map @snat_ports_v4
		meta l4proto 132 snat ip to ip saddr map @snat_ports_v4
		snat ip to ip saddr map @snat_v4
		snat ip6 to ip6 saddr map @snat_v6
		ip saddr @masquerade_v4 masquerade
		ip6 saddr @masquerade_v6 masquerade
	}

	# Invalid packets of a masqueraded subnet would leave under their own address. What containers send is looked at
	# before the flows to which it seems to belong.
	chain forward {
		type filter hook forward priority filter; policy accept;
		meta nfproto @not_routed iifname != @bridges oifname != @bridges goto strangers
		iifname @bridges jump from_bridge
		meta nfproto @policies iifname @bridges jump by_policy
		meta nfproto @policies iifname != @bridges oifname @bridges jump by_policy
		iifname @no_egress jump not_allowed
		oifname @no_egress jump late_answers
		ct state established,related accept
		meta nfproto . iifname @closed drop
		ct state invalid iifname @bridges ip saddr @masquerade_v4 drop
		ct state invalid iifname @bridges ip6 saddr @masquerade_v6 drop
		iifname . oifname @trusted accept
		meta nfproto . oifname vmap @towards
	}

	# What goes to tunnels is dropped whatever its flow: that may be older than the cluster, or begin at the other end.
	# Between ports of one bridge the source is the table `bridge fairlead`'s affair; with br_netfilter such frames come
	# here too. What is routed has a source that is routed back: no answer under another network's address, nothing under
	# nobody's.
	chain from_bridge {
		oifname @secure_links drop
		meta l4proto . th dport @tunnel_ports jump to_tunnel
		iifname . oifname vmap @same_bridge
		iifname @own_bridges fib saddr . iif oif missing drop
		iifname "flr*" jump from_routed
		iifname "vethfr-*" jump from_routed
		ct state related jump quoted
	}

	# Out of an interface that has one container and no bridge, under that container's own address: the checks that the
	# table `bridge fairlead` makes elsewhere. Its like get no answers of a DHCP server from it.
	chain from_routed {
		oifname "flr*" udp sport 67 drop
		oifname "flr*" udp sport 547 drop
		oifname "vethfr-*" udp sport 67 drop
		oifname "vethfr-*" udp sport 547 drop
		meta l4proto 1 jump own_icmp
		meta l4proto 58 jump own_icmpv6
		iifname . oifname vmap @same_routed
	}

	# An error quotes a packet, which was for the one who reports it: about others' flows nobody has anything to say.
	# (1 is ICMP, 58 ICMPv6, whose names need /etc/protocols.)
	chain own_icmp {
		icmp type destination-unreachable goto own_quote
		icmp type source-quench goto own_quote
		icmp type redirect drop
		icmp type time-exceeded goto own_quote
		icmp type parameter-problem goto own_quote
	}

	chain own_quote {
		iifname . @th,192,32 @reported_v4 return
		drop
	}

	chain own_icmpv6 {
		icmpv6 type nd-router-advert drop
		icmpv6 type nd-redirect drop
		icmpv6 type destination-unreachable goto own_quote_v6
		icmpv6 type packet-too-big goto own_quote_v6
		icmpv6 type time-exceeded goto own_quote_v6
		icmpv6 type parameter-problem goto own_quote_v6
	}

	chain own_quote_v6 {
		iifname . @th,256,128 @reported_v6 return
		drop
	}

	# Policies are about who begins a flow, and with whom behind all translation. They are asked for every packet in both
	# directions, so that what is forbidden ends at once, however old it is.
	chain by_policy {
		ct original ip saddr . ct reply ip saddr . meta l4proto vmap @policy_v4
		ct original ip6 saddr . ct reply ip6 saddr . meta l4proto vmap @policy_v6
		ct direction reply goto answers
		ct original ip saddr . ip daddr . meta l4proto . th dport vmap @policy_ports_v4
		ct original ip6 saddr . ip6 daddr . meta l4proto . th dport vmap @policy_ports_v6
	}

	chain answers {
		ct original ip saddr . ip saddr . meta l4proto . th sport vmap @policy_ports_v4
		ct original ip6 saddr . ip6 saddr . meta l4proto . th sport vmap @policy_ports_v6
	}

	# No policy opens what has no way out.
	chain permitted {
		meta nfproto . iifname @closed return
		meta nfproto . oifname @closed return
		ct status ! dnat ct status ! confirmed jump limits_routed
		accept
	}

	# Out of a network with egress=deny, what no policy has allowed: answers to those who ask, and errors about flows
	# that there are. Into it come no answers to what is not allowed any more.
	chain not_allowed {
		ct direction reply ct state established return
		ct state related meta l4proto 1 return
		ct state related meta l4proto 58 return
		drop
	}

	chain late_answers {
		ct direction reply ct state established drop
	}

	# Fairlead has made the host a router, and it is none for others. Bridges have their own masters (dockerd, libvirt),
	# who filter what they route, and with br_netfilter their frames pass here as well.
	chain strangers {
		meta iifkind "bridge" accept
		meta oifkind "bridge" accept
		drop
	}

	# An ICMP error belongs to the flow that it quotes, whoever sends it. Networks meet by published ports only, where the
	# server has something to report; out of a closed network nothing is.
	chain quoted {
		meta nfproto . iifname @closed drop
		oifname @bridges ct direction original drop
		oifname @bridges ct status ! dnat drop
	}

	chain no_icc {
		ct status dnat accept
		icmpv6 type nd-neighbor-solicit accept
		icmpv6 type nd-neighbor-advert accept
		drop
	}

	chain published_only {
		ct status dnat accept
		drop
	}

	chain unprotected {
		ct status dnat accept
		iifname @bridges drop
		accept
	}

	chain routed_only {
		ct status dnat accept
		ct status ! confirmed jump limits_routed
		meta l4proto . ip daddr . th dport @routed_v4 accept
		meta l4proto . ip daddr . th dport @routed_ranges_v4 accept
		meta l4proto . ip6 daddr . th dport @routed_v6 accept
		meta l4proto . ip6 daddr . th dport @routed_ranges_v6 accept
		iifname @bridges drop
		# ICMP and ICMPv6; their names need /etc/protocols.
		meta l4proto 1 accept
		meta l4proto 58 accept
		drop
	}

	# Out of a bridge, to the port of the tunnels: masqueraded, or under a forged source, it would be this host that speaks
	# into a network. It stays inside of the bridge, whatever its VNI, unless the bridge is itself the way to another host.
	chain to_tunnel {
		iifname . oifname vmap @same_bridge
		iifname @own_bridges fib saddr . iif oif missing drop
		iifname "flr*" iifname . oifname vmap @same_routed
		iifname "vethfr-*" iifname . oifname vmap @same_routed
		ip saddr @tunnel_hosts_v4 fib saddr . iif oif exists return
		ip6 saddr @tunnel_hosts_v6 fib saddr . iif oif exists return
		drop
	}

	chain input {
		type filter hook input priority filter; policy accept;
		iifname @bridges jump to_host
		udp dport . @th,96,24 vmap @tunnels
		ct state invalid meta l4proto 6 goto strays
	}

	# Out of a bridge, to the host itself. A container that looks for an address of its own has none yet (::).
	chain to_host {
		ct status dnat ct direction reply ct state != related meta nfproto @counted jump count_out
		meta l4proto . th dport @tunnel_ports jump to_tunnel
		iifname @own_bridges ip6 saddr != :: fib saddr . iif oif missing drop
		iifname @own_bridges ip saddr != 0.0.0.0 fib saddr . iif oif missing drop
		iifname "flr*" meta l4proto 1 jump own_icmp
		iifname "vethfr-*" meta l4proto 1 jump own_icmp
		iifname "flr*" meta l4proto 58 jump own_icmpv6
		iifname "vethfr-*" meta l4proto 58 jump own_icmpv6
		meta nfproto @policies jump host_policies
		iifname @confined goto gateway_only
		iifname . ip saddr @confined_v4 goto gateway_only
		iifname . ip6 saddr @confined_v6 goto gateway_only
	}

	# As by_policy, to whatever address of the host. Without neighbour discovery there would be no host.
	chain host_policies {
		ct direction reply ct state established return
		ct state related return
		icmpv6 type nd-neighbor-solicit return
		icmpv6 type nd-neighbor-advert return
		ip saddr . meta l4proto vmap @policy_host_v4
		ip6 saddr . meta l4proto vmap @policy_host_v6
		ip saddr . meta l4proto . th dport vmap @policy_host_ports_v4
		ip6 saddr . meta l4proto . th dport vmap @policy_host_ports_v6
	}

	# Answers to the host, neighbour discovery, ping and DNS of the gateway's own address.
	chain gateway_only {
		ct direction reply ct state established accept
		ct state related accept
		icmpv6 type nd-neighbor-solicit accept
		icmpv6 type nd-neighbor-advert accept
		iifname . ip daddr @gateways_v4 goto gateway_services
		iifname . ip6 daddr @gateways_v6 goto gateway_services
		fib daddr . iif type != local drop
		goto gateway_services
	}

	chain gateway_services {
		icmp type echo-request accept
		icmpv6 type echo-request accept
		udp dport 53 accept
		tcp dport 53 accept
		ct status dnat meta l4proto 17 ct original proto-dst 53 accept
		ct status dnat meta l4proto 6 ct original proto-dst 53 accept
		drop
	}

	# A segment out of the window of a masqueraded or published connection is not translated, and so comes to the host,
	# which knows no such connection and would end it by a reset. 6 is TCP, whose name needs /etc/protocols.
	chain strays {
		socket wildcard 0 return
		socket wildcard 1 return
		drop
	}

	# Packets of our tunnels are taken from the hosts of the cluster only, and those of encrypted networks only from the
	# device that has decrypted them: a container, or whoever else reaches this host, cannot speak into a network.
	chain secure_tunnel {
		iifname != @secure_links drop
		goto plain_tunnel
	}

	chain plain_tunnel {
		ip saddr != @tunnel_hosts_v4 drop
		ip6 saddr != @tunnel_hosts_v6 drop
	}

	# Without the device that encrypts, the route to another host would be the one to the outside.
	chain tunnels_out {
		type filter hook output priority filter; policy accept;
		udp dport . @th,96,24 @secure_tunnels oifname != @secure_links drop
	}
)";

struct Elements {
  std::map<std::string, std::vector<std::string>, std::less<>> of_set;
  // Set and text of each element, since ports of routed networks may share one.
  std::set<std::string> seen;
};

void collect(const std::vector<Entry>& entries, Elements& into) {
  for (const Entry& entry : entries)
    if (std::string text = to_text(entry);
        has_text(entry) && into.seen.insert(entry.set + " " + text).second)
      into.of_set[entry.set].push_back(std::move(text));
}

std::string declare(const SetDeclaration& set, const Elements& elements) {
  std::string text =
      fmt::format("\t{} {} {{\n\t\t{} {}\n", set.kind, set.name, set.keyword, set.type);
  if (!set.flags.empty()) text += fmt::format("\t\tflags {}\n", set.flags);
  if (const auto found = elements.of_set.find(set.name); found != elements.of_set.end())
    text +=
        fmt::format("\t\telements = {{\n\t\t\t{}\n\t\t}}\n", fmt::join(found->second, ",\n\t\t\t"));
  return text + "\t}\n";
}

std::string body(const Elements& elements, TableFamily family) {
  std::string text;
  for (const SetDeclaration& set : sets_of(family)) text += declare(set, elements);
  return text.append(family == TableFamily::kInet ? kInetChains : kBridgeChains);
}

std::string table_name(TableFamily family) {
  return kernel::TableName{std::string(kTable), family}.text();
}

constexpr std::uint64_t hash_of_sets(TableFamily family) {
  Fnv1a hash;
  for (const SetDeclaration& set : sets_of(family))
    for (const std::string_view part : {set.name, set.keyword, set.kind, set.type, set.flags})
      hash.add(part).add("\n");
  return hash.value();
}
constexpr std::uint64_t kInetSetsHash = hash_of_sets(TableFamily::kInet);
constexpr std::uint64_t kBridgeSetsHash = hash_of_sets(TableFamily::kBridge);
constexpr std::uint64_t kInetChainsHash = Fnv1a().add(kInetChains).value();

std::string limits_text(const NatState& state, TableFamily family) {
  std::string text;
  if (family == TableFamily::kInet)
    for (const std::string& chain : limits_of(state)) text += "\n" + limit_text(chain);
  return text;
}

std::string table_text(const Elements& elements, const NatState& limited,
                       const network::StoreMark& mark, TableFamily family) {
  return fmt::format("{}table {} {{\n\tcomment \"{}\"\n{}{}}}\n", render_nothing(family),
                     table_name(family), table_comment(mark, family), body(elements, family),
                     limits_text(limited, family));
}

}  // namespace

std::string version(TableFamily family) {
  const std::uint64_t hash = family == TableFamily::kInet ? kInetSetsHash ^ kInetChainsHash
                                                          : kBridgeSetsHash ^ kBridgeChainsHash;
  return fmt::format("fairlead ruleset {:012x}", hash >> 16);
}

std::string table_comment(const network::StoreMark& mark, TableFamily family) {
  return mark.after(version(family));
}

std::vector<std::string_view> set_names(TableFamily family) {
  std::vector<std::string_view> names;
  for (const SetDeclaration& set : sets_of(family)) names.push_back(set.name);
  return names;
}

std::vector<std::string_view> policy_set_names() {
  auto names = set_names(TableFamily::kInet);
  std::erase_if(names, [](std::string_view name) { return !name.starts_with("polic"); });
  return names;
}

// Adding the table first makes the deletion succeed when there is none.
std::string render_nothing(TableFamily family) {
  return fmt::format("add table {0}\ndelete table {0}\n", table_name(family));
}

std::string render_chains(const network::StoreMark& mark, TableFamily family,
                          const NatState& state) {
  return table_text({}, state, mark, family);
}

std::string render(const NatState& state, const network::StoreMark& mark, TableFamily family) {
  Elements elements;
  collect(entries_of(state, family), elements);
  return table_text(elements, state, mark, family);
}

}  // namespace fairlead::nat
