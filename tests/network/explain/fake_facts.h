// The routes, links and addresses of a host that is not there.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "network/explain/facts.h"

namespace fairlead::explain {

inline IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

class FakeFacts : public Facts {
 public:
  struct Way {
    std::string link;
    std::optional<IpAddress> source{}, via{};
  };
  std::map<std::string, Way> ways;         // by subnet
  std::map<std::string, std::string> own;  // address: link
  std::set<std::string, std::less<>> isolated;
  bool forwarding = true, bridge_netfilter = false;

  Route route(const RouteQuestion& question) const override {
    if (is_local(question.to, {})) return {.kind = Route::Kind::kLocal, .link = "lo"};
    Route best{.reason = "network is unreachable"};
    unsigned length = 0;
    for (const auto& [subnet, way] : ways) {
      const Cidr cidr = *Cidr::parse(subnet);
      if (cidr.family() != question.to.family() || !cidr.contains(question.to)) continue;
      if (best.kind == Route::Kind::kOut && cidr.prefix_length() < length) continue;
      best = {.kind = Route::Kind::kOut, .link = way.link, .via = way.via, .source = way.source};
      length = cidr.prefix_length();
    }
    return best;
  }
  std::optional<Route> route_inside(const std::string&, const IpAddress&) const override {
    return std::nullopt;
  }
  bool is_local(const IpAddress& address, std::string_view link) const override {
    const auto found = own.find(address.to_string());
    return found != own.end() && (link.empty() || found->second == link);
  }
  std::string kind_of(std::string_view) const override { return {}; }
  bool forwards(Family) const override { return forwarding; }
  bool bridges_pass_packets(Family) const override { return bridge_netfilter; }
  bool is_isolated(std::string_view port) const override { return isolated.contains(port); }
};

}  // namespace fairlead::explain
