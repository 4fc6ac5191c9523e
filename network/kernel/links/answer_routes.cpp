#include "network/kernel/links/answer_routes.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>

#include "network/kernel/host/netns.h"
#include "network/kernel/host/sysctl.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_host_routing.h"
#include "network/kernel/netlink/messages.h"

namespace fairlead::kernel {

namespace {

// FRA_PROTOCOL of Fairlead's rules. Numbers from 5 on are for whoever wants one
// (linux/rtnetlink.h); iproute2 knows no program by this one.
constexpr std::uint8_t kOurRules = 102;

// Before the tables of VPNs (Tailscale's rules begin at 5210) and the main table, and behind those of
// VRFs (1000).
constexpr std::uint32_t kFirstPriority = 4500;

int af_of(Family family) { return family == Family::kV4 ? AF_INET : AF_INET6; }

// Attributes that restrict a rule, or change what it does, and which no rule of Fairlead's has.
bool is_condition(std::uint16_t type) {
  switch (type) {
    case FRA_DST:
    case FRA_OIFNAME:
    case FRA_TUN_ID:
    case FRA_L3MDEV:
    case FRA_UID_RANGE:
    case FRA_IP_PROTO:
    case FRA_SPORT_RANGE:
    case FRA_DPORT_RANGE:
    case FRA_SUPPRESS_IFGROUP:
      return true;
    default:
      return false;
  }
}

void read_rule_attribute(const Attribute& attribute, std::uint8_t source_length,
                         RuleDetails& rule) {
  // No suppression at all is told as -1.
  const int number = attribute.i32();
  switch (attribute.type) {
    case FRA_PRIORITY:
      rule.priority = attribute.u32();
      break;
    case FRA_TABLE:
      rule.table = attribute.u32();
      break;
    case FRA_FWMARK:
      rule.mark = attribute.u32();
      break;
    case FRA_FWMASK:
      rule.mask = attribute.u32();
      break;
    case FRA_IIFNAME:
      rule.iif = std::string(attribute.text());
      break;
    case FRA_PROTOCOL:
      rule.is_ours = attribute.u8() == kOurRules;
      break;
    case FRA_SUPPRESS_PREFIXLEN:
      if (number >= 0) rule.suppressed_length = number;
      break;
    case FRA_SRC: {
      const std::size_t size = rule.family == Family::kV4 ? 4 : 16;
      if (attribute.data.size() == size && source_length <= size * 8)
        rule.from = Cidr::of(IpAddress::from_bytes(rule.family, attribute.data), source_length);
      else
        rule.conditional = true;
      break;
    }
    default:
      rule.conditional |= is_condition(attribute.type);
  }
}

NetlinkMessage rule_message(std::uint16_t type, int flags, const RuleDetails& rule) {
  NetlinkMessage message(type, flags);
  fib_rule_hdr header{};
  header.family = static_cast<std::uint8_t>(af_of(rule.family));
  header.action = FR_ACT_TO_TBL;
  header.table =
      rule.table < 256 ? static_cast<std::uint8_t>(rule.table) : std::uint8_t{RT_TABLE_UNSPEC};
  message.put_struct(header)
      .put_u32(FRA_PRIORITY, rule.priority)
      .put_u32(FRA_TABLE, rule.table)
      .put_u32(FRA_FWMARK, rule.mark)
      .put_u32(FRA_FWMASK, rule.mask)
      .put_u8(FRA_PROTOCOL, kOurRules);
  if (!rule.iif.empty()) message.put_text(FRA_IIFNAME, rule.iif);
  if (rule.suppressed_length)
    message.put_u32(FRA_SUPPRESS_PREFIXLEN, static_cast<std::uint32_t>(*rule.suppressed_length));
  return message;
}

NetlinkMessage delete_route(Family family, std::uint32_t table, const RouteDetails& details) {
  NetlinkMessage message(RTM_DELROUTE, 0);
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(af_of(family));
  header.rtm_dst_len = static_cast<std::uint8_t>(details.route.destination.prefix_length());
  header.rtm_scope = RT_SCOPE_NOWHERE;
  message.put_struct(header).put_u32(RTA_TABLE, table);
  if (details.route.destination.prefix_length() != 0)
    message.put(RTA_DST, details.route.destination.first().bytes());
  return message;
}

// IPv6 always gives its routes a priority.
bool same_route(const RouteDetails& have, const RouteSpec& want, int index) {
  return have.ifindex == index && have.route.destination == want.destination &&
         have.route.via == want.via;
}

}  // namespace

std::optional<RuleDetails> parse_rule(Bytes payload) {
  const auto header = read_struct<fib_rule_hdr>(payload);
  if (!header || header->action != FR_ACT_TO_TBL ||
      (header->family != AF_INET && header->family != AF_INET6))
    return std::nullopt;
  RuleDetails rule{.family = header->family == AF_INET ? Family::kV4 : Family::kV6,
                   .table = header->table};
  rule.conditional = (header->flags & FIB_RULE_INVERT) != 0 || header->tos != 0;
  for (const Attribute& attribute : Attributes(behind(payload, sizeof(fib_rule_hdr))))
    read_rule_attribute(attribute, header->src_len, rule);
  rule.conditional |= !rule.iif.empty() || rule.mask != 0 || rule.suppressed_length.has_value();
  return rule;
}

NetlinkMessage dump_rules(Family family) {
  NetlinkMessage message(RTM_GETRULE, 0);
  fib_rule_hdr header{};
  header.family = static_cast<std::uint8_t>(af_of(family));
  message.put_struct(header);
  return message;
}

NetlinkMessage add_rule(const RuleDetails& rule) {
  return rule_message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

NetlinkMessage delete_rule(const RuleDetails& rule) { return rule_message(RTM_DELRULE, 0, rule); }

// The question itself, which has the mark too, goes where it is going. Where the host looks whether it
// would answer through the interface (rp_filter, "iif lo" as if it sent the packet itself), its own
// networks are on their bridges, and everybody else is where the question came from. IPv6 does not
// look.
std::vector<RuleDetails> rules_of(const AnswerRoute& answer) {
  RuleDetails rule{.family = answer.family,
                   .priority = kFirstPriority,
                   .table = RT_TABLE_MAIN,
                   .mark = answer.mark,
                   .mask = answer.mask,
                   .conditional = true,
                   .is_ours = true};
  std::vector<RuleDetails> rules;
  if (answer.family == Family::kV4) {
    rule.iif = "lo";
    rule.suppressed_length = 0;
    rules.push_back(rule);
    rule.suppressed_length.reset();
  }
  ++rule.priority;
  rule.iif = answer.link;
  rules.push_back(rule);
  ++rule.priority;
  rule.iif.clear();
  rule.table = answer.table;
  rules.push_back(rule);
  return rules;
}

// ---- of the host

Result<std::vector<RuleDetails>> NetlinkHostRouting::rules(Family family) {
  auto found =
      socket_.collect(dump_rules(family), "list routing rules",
                      [](const MessageView& message) { return parse_rule(message.payload); });
  // A kernel without CONFIG_IP_MULTIPLE_TABLES has no rules, and no second way out.
  if (!found && (found.error().sys_errno == EOPNOTSUPP || found.error().sys_errno == EAFNOSUPPORT))
    return std::vector<RuleDetails>();
  return found;
}

Result<RoutingView> NetlinkHostRouting::routing_view() {
  RoutingView view;
  TRY(const FoundLinks links, socket_.list());
  const auto name_of = [&](int index) {
    const auto found = std::ranges::find_if(
        links, [&](const LinkDetails& each) { return each.link.index == index; });
    return found == links.end() ? std::string() : found->link.name;
  };
  for (const Family family : {Family::kV4, Family::kV6}) {
    TRY(const auto addresses, socket_.addresses(family));
    for (const AddressDetails& each : addresses)
      view.addresses.push_back({name_of(each.ifindex), each.address});
    TRY(const auto rules_there, rules(family));
    for (const RuleDetails& rule : rules_there)
      if (!rule.is_ours)
        view.rules.push_back({rule.family, rule.priority, rule.table, rule.from, rule.conditional});
    TRY(const auto routes, socket_.routes(family, 0, RT_TABLE_UNSPEC));
    for (const RouteDetails& each : routes) {
      const Cidr destination = each.route.destination.network();
      if (each.type != RTN_UNICAST || each.ifindex == 0 || !leads_everywhere(destination) ||
          each.route.table.value_or(0) >= kFirstAnswerTable)
        continue;
      view.ways.push_back({name_of(each.ifindex), destination, each.route.via,
                           each.route.table.value_or(RT_TABLE_MAIN),
                           each.route.priority.value_or(0)});
    }
  }
  return view;
}

Result<bool> NetlinkHostRouting::set_answer_routes(std::span<const AnswerRoute> answers) {
  bool changed = false;
  for (const Family family : {Family::kV4, Family::kV6}) {
    std::vector<RuleDetails> wanted;
    for (const AnswerRoute& answer : answers) {
      if (answer.family != family) continue;
      TRY(const bool filled, fill_table(answer));
      changed |= filled;
      std::ranges::move(rules_of(answer), std::back_inserter(wanted));
    }
    TRY(const auto present, rules(family));
    for (const RuleDetails& rule : present) {
      if (!rule.is_ours || std::ranges::find(wanted, rule) != wanted.end()) continue;
      const Status gone = socket_.request(delete_rule(rule), "remove a routing rule");
      if (!gone && gone.error().sys_errno != ENOENT) return fail(gone.error());
      changed = true;
    }
    for (const RuleDetails& rule : wanted) {
      if (std::ranges::find(present, rule) != present.end()) continue;
      const Status added = socket_.request(
          add_rule(rule), fmt::format("add the routing rule fwmark 0x{:x}/0x{:x} lookup {}",
                                      rule.mark, rule.mask, rule.table));
      if (!added && added.error().sys_errno != EEXIST) return fail(added.error());
      changed = true;
    }
  }
  for (const AnswerRoute& answer : answers) TRY_STATUS(let_marks_count(answer));
  return changed;
}

// A table of Fairlead's own holds nothing else. Others are as their owners have them.
Result<bool> NetlinkHostRouting::fill_table(const AnswerRoute& answer) {
  if (answer.table < kFirstAnswerTable) return false;
  TRY(const auto name, IfName::parse(answer.link));
  TRY(const auto link, socket_.find(name, fmt::format("find interface {}", answer.link)));
  if (!link) return false;  // gone: its events are on their way
  const int index = link->link.index;
  TRY(const auto present, socket_.routes(answer.family, 0, answer.table));
  const bool same = present.size() == answer.routes.size() &&
                    std::ranges::all_of(answer.routes, [&](const RouteSpec& want) {
                      return std::ranges::any_of(present, [&](const RouteDetails& have) {
                        return same_route(have, want, index);
                      });
                    });
  if (same) return false;
  for (const RouteDetails& each : present) {
    const Status gone = socket_.request(delete_route(answer.family, answer.table, each),
                                        fmt::format("empty the routing table {}", answer.table));
    if (!gone && gone.error().sys_errno != ESRCH) return fail(gone.error());
  }
  for (RouteSpec route : answer.routes) {
    route.table = answer.table;
    const Status added =
        socket_.request(add_route(index, route),
                        fmt::format("add the route to {} through {} to table {}",
                                    route.destination.to_string(), answer.link, answer.table));
    if (!added && added.error().sys_errno != EEXIST) return fail(added.error());
  }
  return true;
}

// A strict rp_filter of an interface looks at marks only if it is told to (ip-sysctl.rst,
// src_valid_mark).
Status NetlinkHostRouting::let_marks_count(const AnswerRoute& answer) {
  if (answer.family != Family::kV4) return {};
  return in_netns(netns_, [&]() -> Status {
    const auto setting = [](std::string_view link, std::string_view name) {
      return fmt::format("net/ipv4/conf/{}/{}", link, name);
    };
    const auto value = [&](std::string_view link, std::string_view name) {
      return read_sysctl(setting(link, name)).value_or("0");
    };
    const std::string filter = std::max(value("all", "rp_filter"), value(answer.link, "rp_filter"));
    const bool counts =
        value("all", "src_valid_mark") == "1" || value(answer.link, "src_valid_mark") == "1";
    if (filter != "1" || counts) return {};
    const Status set = write_sysctl(setting(answer.link, "src_valid_mark"), "1");
    return !set && set.error().code == Code::kNotFound ? Status() : set;
  });
}

}  // namespace fairlead::kernel
