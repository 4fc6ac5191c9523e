// Reads the rules that iptables(8) lists, and writes the rules that Fairlead needs, as text. Pure
// functions.
//
// Where Docker filters (forwarded packets pass through DOCKER-USER), these rules are wanted. P
// stands for fl-+ and each of Fairlead's bridges with another name, D for docker+, br-+ and every
// other bridge that Docker's own rules name:
//
//   -i D -o P -j RETURN      Docker decides on its own containers' traffic to ours (its internal
//                            networks stay internal)
//   -i P -o D -j RETURN      and on ours to them: they are no more reachable than from anywhere else
//   -o P -j ACCEPT           the rest is filtered by our own table
//   -i P -j ACCEPT
//
// Where FORWARD drops without Docker, only the last two are wanted, at the top of FORWARD. Every
// rule carries the comment "fairlead".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/names.h"

namespace fairlead::kernel {

struct ForeignRule {
  std::string chain;
  std::string rule;  // as `iptables -S` prints it, without "-A <chain> "
  bool operator==(const ForeignRule&) const = default;
};

// The filter table of one family and one iptables variant.
struct FilterTable {
  bool forward_drops = false;  // by its policy, or by a last rule without conditions
  bool docker_user = false;    // the chain exists and FORWARD jumps to it
  std::vector<std::string>
      docker_bridges;  // those that Docker's rules name and docker+ and br-+ do not match
  std::vector<ForeignRule> ours;
  bool ours_on_top = true;  // no other rule comes before them in their chain
};
FilterTable parse_filter_table(std::string_view iptables_s);

// Empty when FORWARD does not drop. `uplink` is the interface of the default route, which is not a
// bridge of Docker's even when its name begins with br-; may be empty.
std::vector<ForeignRule> wanted_rules(const FilterTable& table, std::span<const IfName> bridges,
                                      std::string_view uplink);

// The input of `iptables-restore --noflush` that replaces the present rules with the wanted ones in
// one transaction. Empty when there is nothing to change.
std::string restore_text(const FilterTable& table, const std::vector<ForeignRule>& wanted);

// The interface of the default route, from /proc/net/route and /proc/net/ipv6_route; empty when
// there is none.
std::string default_interface_v4(std::string_view proc_net_route);
std::string default_interface_v6(std::string_view proc_net_ipv6_route);

}  // namespace fairlead::kernel
