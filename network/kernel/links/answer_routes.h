// The ways by which the host's answers leave: its addresses, its ways out, and the rules that choose
// between them (ip-rule(8)); and Fairlead's own rules for answers of published ports, which find
// their way by a mark. Values and their messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "network/kernel/links/links.h"
#include "network/kernel/netlink/netlink.h"

namespace fairlead::kernel {

// An address of the host, with the prefix of its subnet.
struct HostAddress {
  std::string link;
  Cidr address;

  bool operator==(const HostAddress&) const = default;
};

// A default route, or a part of one (a VPN's 0.0.0.0/1), of any table.
struct WayOut {
  std::string link;
  Cidr destination;
  std::optional<IpAddress> via;
  std::uint32_t table = 0;
  std::uint32_t metric = 0;

  bool operator==(const WayOut&) const = default;
};

// A rule that sends packets to a table.
struct PolicyRule {
  Family family = Family::kV4;
  std::uint32_t priority = 0;
  std::uint32_t table = 0;
  std::optional<Cidr> from;
  bool conditional = false;  // on more than the source, or on what is not the case

  bool operator==(const PolicyRule&) const = default;
};

struct RoutingView {
  std::vector<HostAddress> addresses;
  std::vector<WayOut> ways;
  std::vector<PolicyRule> rules;  // without Fairlead's own, in the order of their priorities
};

// What packets with the mark follow: a table of the host's, or one that Fairlead fills with `routes`
// because no table of the host's leads that way first.
struct AnswerRoute {
  Family family = Family::kV4;
  std::string link;  // through which the questions come
  std::uint32_t mark = 0;
  std::uint32_t mask = 0;
  std::uint32_t table = 0;
  std::vector<RouteSpec> routes;

  bool operator==(const AnswerRoute&) const = default;
};

// The bits of a packet's mark that name a way out, where nothing else is configured: the highest
// four, which kube-proxy and CNI plugins (0x2000 to 0x8000), Tailscale (0xff0000), Cilium (0xf00)
// and Calico (from 0x10000 up) leave alone.
inline constexpr std::uint32_t kAnswerMask = 0xf0000000;

// The numbers of the tables that Fairlead fills begin here: "fl".
inline constexpr std::uint32_t kFirstAnswerTable = 0x666c0000;

// A rule as the kernel lists it, as far as Fairlead's own differ from each other.
struct RuleDetails {
  Family family = Family::kV4;
  std::uint32_t priority = 0;
  std::uint32_t table = 0;
  std::uint32_t mark = 0, mask = 0;
  std::string iif;
  std::optional<int> suppressed_length;  // routes with prefixes no longer than this do not count
  std::optional<Cidr> from;
  bool conditional = false;
  bool is_ours = false;

  bool operator==(const RuleDetails&) const = default;
};
// RTM_NEWRULE; std::nullopt for rules that lead to no table.
std::optional<RuleDetails> parse_rule(Bytes payload);
NetlinkMessage dump_rules(Family family);
NetlinkMessage add_rule(const RuleDetails& rule);     // EEXIST
NetlinkMessage delete_rule(const RuleDetails& rule);  // ENOENT

// The rules of an answer, in the order of their priorities.
std::vector<RuleDetails> rules_of(const AnswerRoute& answer);

}  // namespace fairlead::kernel
