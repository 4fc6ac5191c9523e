#include "network/service/surroundings_plan.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <tuple>

namespace fairlead::network {

namespace {

using kernel::AnswerRoute;
using kernel::HostAddress;
using kernel::PolicyRule;
using kernel::RoutingView;
using kernel::WayOut;

constexpr std::uint32_t kMainPriority = 32766;
// Bridges of Docker have addresses too, and the elements are for each.
constexpr std::size_t kMostBroadcasts = 512;

// The best of the ways that fit: the widest first, and of these the one with the lowest metric.
template <class Fits>
const WayOut* best_way(const RoutingView& view, Family family, const Fits& fits) {
  const WayOut* best = nullptr;
  const auto rank = [](const WayOut& way) {
    return std::tuple(way.destination.prefix_length(), way.metric);
  };
  for (const WayOut& way : view.ways)
    if (way.destination.family() == family && fits(way) &&
        (best == nullptr || rank(way) < rank(*best)))
      best = &way;
  return best;
}

// One family's ways out.
class Ways {
 public:
  Ways(const RoutingView& view, Family family)
      : view_(view), family_(family), first_(best_way(view, family, [](const WayOut& way) {
          return way.table == RT_TABLE_MAIN;
        })) {}

  // The way of the answers of an address; std::nullopt: that of everything else. `table` 0 is one
  // that Fairlead has to fill.
  struct Way {
    WayOut through;
    std::uint32_t table = 0;
  };
  std::optional<Way> of(const HostAddress& address) const {
    if (const auto ruled = by_rule(address.address.address())) return ruled;
    const WayOut* own = through(address.link, RT_TABLE_MAIN);
    if (own == nullptr) return elsewhere(address.link);
    if (first_ != nullptr && first_->link != own->link) return Way{*own, 0};
    return is_main_overridden() ? std::optional(Way{*own, RT_TABLE_MAIN}) : std::nullopt;
  }

 private:
  const WayOut* in(std::uint32_t table) const {
    return best_way(view_, family_, [&](const WayOut& way) { return way.table == table; });
  }
  const WayOut* through(const std::string& link, std::uint32_t table) const {
    return best_way(view_, family_,
                    [&](const WayOut& way) { return way.table == table && way.link == link; });
  }

  // What the host's own services do that have the address.
  std::optional<Way> by_rule(const IpAddress& address) const {
    for (const PolicyRule& rule : view_.rules) {
      if (rule.family != family_ || rule.conditional || !rule.from ||
          !rule.from->contains(address) || rule.from->prefix_length() == 0)
        continue;
      const WayOut* way = in(rule.table);
      if (way == nullptr) continue;
      const bool as_usual =
          first_ != nullptr && way->link == first_->link && way->via == first_->via;
      if (as_usual && !is_main_overridden()) return std::nullopt;
      return Way{*way, rule.table};
    }
    return std::nullopt;
  }

  // A way that only some other rule leads to, as to a VPN.
  std::optional<Way> elsewhere(const std::string& link) const {
    for (const PolicyRule& rule : view_.rules) {
      if (rule.family != family_ || rule.table == RT_TABLE_MAIN) continue;
      if (const WayOut* way = through(link, rule.table)) return Way{*way, rule.table};
    }
    return std::nullopt;
  }

  // Whether a rule for more than one source sends packets out by another table before the main one.
  bool is_main_overridden() const {
    return std::ranges::any_of(view_.rules, [&](const PolicyRule& rule) {
      return rule.family == family_ && rule.priority < kMainPriority && !rule.from &&
             rule.table != RT_TABLE_MAIN && in(rule.table) != nullptr;
    });
  }

  const RoutingView& view_;
  const Family family_;
  const WayOut* first_;
};

bool has_way_of_its_own(const HostAddress& address, const std::set<std::string>& ours) {
  static const Cidr kLinkLocal = *Cidr::parse("fe80::/10");
  const IpAddress& ip = address.address.address();
  return !ip.is_loopback() && !kLinkLocal.contains(ip) && !ours.contains(address.link) &&
         IfName::parse(address.link).has_value();
}

// The numbers of ways: those of before, and then the lowest that are free.
class Numbers {
 public:
  Numbers(const SurroundingsRecord& before, unsigned most) : before_(before), most_(most) {
    for (const UplinkRecord& uplink : before.uplinks)
      used_.insert({uplink.address.family(), uplink.number});
  }

  std::optional<unsigned> of(Family family, const std::string& link, std::uint32_t table) {
    const auto [at, fresh] = given_.try_emplace({family, link, table}, std::nullopt);
    if (!fresh) return at->second;
    for (const UplinkRecord& uplink : before_.uplinks)
      if (uplink.address.family() == family && uplink.link == link &&
          as_asked(uplink.table) == table && uplink.number <= most_)
        return at->second = uplink.number;
    for (unsigned number = 1; number <= most_; ++number)
      if (used_.insert({family, number}).second) return at->second = number;
    return std::nullopt;
  }

 private:
  static std::uint32_t as_asked(std::uint32_t table) {
    return table >= kernel::kFirstAnswerTable ? 0 : table;
  }

  const SurroundingsRecord& before_;
  const unsigned most_;
  std::set<std::pair<Family, unsigned>> used_;
  std::map<std::tuple<Family, std::string, std::uint32_t>, std::optional<unsigned>> given_;
};

// The default route, and the subnets of the link, which a packet to a neighbour there takes.
std::vector<kernel::RouteSpec> routes_through(const RoutingView& view, const WayOut& way) {
  const Family family = way.destination.family();
  std::vector<kernel::RouteSpec> routes;
  for (const HostAddress& each : view.addresses) {
    const Cidr subnet = each.address.network();
    const bool is_host = subnet.prefix_length() == (subnet.is_v4() ? 32U : 128U);
    const bool there = std::ranges::any_of(
        routes, [&](const kernel::RouteSpec& route) { return route.destination == subnet; });
    if (each.link == way.link && subnet.family() == family && !is_host && !there)
      routes.push_back({.destination = subnet});
  }
  routes.push_back({.destination = way.destination, .via = way.via});
  return routes;
}

void add_broadcasts(const HostAddress& address, std::vector<BroadcastRecord>& broadcasts) {
  const Cidr subnet = address.address.network();
  if (!subnet.is_v4() || subnet.prefix_length() > 30) return;
  static const IpAddress kEverybody = *IpAddress::parse("255.255.255.255");
  for (const IpAddress& destination : {subnet.last(), kEverybody}) {
    const bool overlaps = std::ranges::any_of(broadcasts, [&](const BroadcastRecord& other) {
      return other.link == address.link && other.destination == destination &&
             other.subnet.overlaps(subnet);
    });
    if (!overlaps && broadcasts.size() < kMostBroadcasts)
      broadcasts.push_back({address.link, subnet, destination, address.address.address()});
  }
}

}  // namespace

SurroundingsPlan plan_surroundings(const RoutingView& view, const std::set<std::string>& ours,
                                   const SurroundingsRecord& before, std::uint32_t mask) {
  SurroundingsPlan plan;
  const int shift = std::countr_zero(mask);
  Numbers numbers(before, mask >> shift);
  const Ways v4(view, Family::kV4), v6(view, Family::kV6);
  for (const HostAddress& address : view.addresses) {
    if (!has_way_of_its_own(address, ours)) continue;
    add_broadcasts(address, plan.record.broadcasts);
    const Family family = address.address.family();
    const auto way = (family == Family::kV4 ? v4 : v6).of(address);
    if (!way) continue;
    const auto number = numbers.of(family, address.link, way->table);
    if (!number) {
      plan.without_mark.push_back(address.address.address().to_string());
      continue;
    }
    const std::uint32_t mark = *number << shift;
    const std::uint32_t table = way->table != 0 ? way->table : kernel::kFirstAnswerTable + *number;
    plan.record.uplinks.push_back({address.link, address.address.address(), *number, mark, table});
    AnswerRoute answer{
        .family = family, .link = address.link, .mark = mark, .mask = mask, .table = table};
    if (way->table == 0) answer.routes = routes_through(view, way->through);
    if (std::ranges::find(plan.answers, answer) == plan.answers.end())
      plan.answers.push_back(std::move(answer));
  }
  return plan;
}

}  // namespace fairlead::network
