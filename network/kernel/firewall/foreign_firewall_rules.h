// The rules of iptables-legacy, which nf_tables does not know of: reads what iptables(8) lists, and
// writes what iptables-restore(8) reads. Pure functions. Rules of iptables-nft are chains of
// nf_tables (foreign_chains.h).
//
// FORWARD is opened as a chain of nf_tables is: by one rule as late as it can stand, which jumps to a
// chain "fairlead". Where Docker filters (FORWARD jumps to DOCKER-USER), that chain holds, with P for
// fl-+, flr+ (mode routed) and each of Fairlead's bridges with another name, and D for docker+, br-+ and every
// other bridge that Docker's own rules name:
//
//   -i D -o P -j RETURN      Docker decides on its own containers' traffic to ours (its internal
//                            networks stay internal)
//   -i P -o D -j RETURN      and on ours to them: they are no more reachable than from anywhere else
//   -o P -j ACCEPT           the rest is filtered by our own table
//   -i P -j ACCEPT
//
// Without Docker only the last two. Every rule carries the comment "fairlead".
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "network/kernel/firewall/foreign_chains.h"

namespace fairlead::kernel {

// The filter table of one family. The handle of a step is its number in its chain, from 1 on.
struct FilterTable {
  bool policy_drops = false;  // of FORWARD
  // nullopt: FORWARD does not jump to DOCKER-USER; else the bridges that Docker's rules name and
  // docker+ and br-+ do not match
  std::optional<std::vector<std::string>> docker_bridges;
  std::map<std::string, std::vector<ForeignStep>, std::less<>> chains;
  struct Ours {
    std::string chain;
    std::string rule;  // as `iptables -S` prints it, without "-A <chain> "
  };
  std::vector<Ours> ours;  // with our comment, in any chain
};
FilterTable parse_filter_table(std::string_view iptables_s);

// As of the base chain FORWARD.
Result<Opening> find_opening(const FilterTable& table);

// The input of `iptables-restore --noflush` that makes, in one transaction, `wanted` the rules of our
// chain and puts the jump to it where `opening` says; without `wanted` nothing of ours is left. Empty
// when there is nothing to change.
std::string restore_text(const FilterTable& table, const Opening& opening,
                         std::span<const PassRule> wanted);

// Names that Docker's rules have beside docker+ and br-+, and that may be written into a rule.
bool is_dockers_own_name(std::string_view name);

// The interface of the default route, from /proc/net/route and /proc/net/ipv6_route; empty when
// there is none.
std::string default_interface_v4(std::string_view proc_net_route);
std::string default_interface_v6(std::string_view proc_net_ipv6_route);

}  // namespace fairlead::kernel
