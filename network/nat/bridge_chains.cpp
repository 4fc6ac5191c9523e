#include "network/nat/bridge_chains.h"

#include "base/hash.h"

namespace fairlead::nat {

// What an endpoint may send into its bridge, by the host's end of its veth pair, whose names begin
// with "flh" or "vethfl-" (drivers/bridge_record.h): what is in no set is dropped, so that a link whose
// elements are missing sends nothing. Frames of all other ports pass, after two comparisons. The type of a
// frame is compared as it is on the wire as well, so that VLAN tags hide nothing: `ip saddr` alone
// finds the packet behind them.
constexpr std::string_view kText = R"(
	chain from_ports {
		type filter hook prerouting priority -300; policy accept;
		iifname != "flh*" iifname != "vethfl-*" accept
		iifname . ether saddr . ip saddr @senders_v4 goto own_v4
		iifname . ether saddr . ip6 saddr @senders_v6 goto own_v6
		iifname @unchecked accept
		ether type arp iifname . ether saddr @senders goto own_arp
		ether type ip iifname . ether saddr @dhcp_clients goto without_v4
		ether type ip6 iifname . ether saddr @senders ip6 saddr :: goto unspecified_v6
		drop
	}

	# Who has no address yet asks for one (RFC 2131 section 4.1), and asks again before it runs out.
	chain without_v4 {
		ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
		drop
	}

	# No answers of a DHCP server (RFC 2131).
	chain own_v4 {
		ether type != ip drop
		udp sport 67 drop
		meta l4proto 1 goto own_icmp
		accept
	}

	# An error quotes a packet, which was for the one who reports it: about others' flows nobody has anything to say.
	# (1 is ICMP, whose name needs /etc/protocols.)
	chain own_icmp {
		icmp type destination-unreachable goto own_quote
		icmp type source-quench goto own_quote
		icmp type redirect drop
		icmp type time-exceeded goto own_quote
		icmp type parameter-problem goto own_quote
		accept
	}

	chain own_quote {
		iifname . @th,192,32 @quoted_v4 accept
		drop
	}

	# A probe names no sender (RFC 5227 section 2.1.1), so nobody learns from it; but it may take an address from who is
	# about to have it.
	chain own_arp {
		arp operation request arp saddr ip 0.0.0.0 iifname . arp saddr ether . arp daddr ip @senders_v4 accept
		iifname . arp saddr ether . arp saddr ip @senders_v4 accept
		drop
	}

	# No answers of a DHCPv6 server (RFC 8415). 58 is ICMPv6, whose name needs /etc/protocols.
	chain own_v6 {
		ether type != ip6 drop
		meta l4proto 58 goto own_icmpv6
		udp sport 547 drop
		accept
	}

	chain own_icmpv6 {
		icmpv6 type nd-router-advert drop
		icmpv6 type nd-redirect drop
		icmpv6 type nd-neighbor-advert goto own_target
		icmpv6 type destination-unreachable goto own_quote_v6
		icmpv6 type packet-too-big goto own_quote_v6
		icmpv6 type time-exceeded goto own_quote_v6
		icmpv6 type parameter-problem goto own_quote_v6
		accept
	}

	# As own_quote: the destination begins 24 bytes behind the start of the quoted packet.
	chain own_quote_v6 {
		iifname . @th,256,128 @targets_v6 accept
		drop
	}

	chain own_target {
		iifname . @th,64,128 @targets_v6 accept
		drop
	}

	# While an address is not confirmed: the question whether somebody has it (RFC 4862 section 5.4.2), and to which
	# groups the endpoint belongs (MLDv2, RFC 3810 section 5.2.13).
	chain unspecified_v6 {
		meta l4proto != 58 drop
		icmpv6 type nd-neighbor-solicit goto own_target
		icmpv6 type 143 accept
		drop
	}
)";

const std::string_view kBridgeChains = kText;
constinit const std::uint64_t kBridgeChainsHash = Fnv1a().add(kText).value();

}  // namespace fairlead::nat
