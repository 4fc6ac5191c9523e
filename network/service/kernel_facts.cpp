#include "network/service/kernel_facts.h"

#include <algorithm>

#include "network/kernel/host/netns.h"
#include "network/kernel/host/sysctl.h"

namespace fairlead::network {

namespace {

explain::Route route_from(kernel::RouteLookups& lookups, const explain::RouteQuestion& question) {
  using Kind = explain::Route::Kind;
  const auto found = lookups.look_up(
      {.to = question.to, .from = question.from, .in = question.in, .mark = question.mark});
  if (!found) return {.kind = Kind::kNone, .reason = found.error().text};
  return {.kind = found->local ? Kind::kLocal : Kind::kOut,
          .link = found->out,
          .via = found->via,
          .source = found->source};
}

bool is_on(const std::string& path) {
  const auto value = kernel::read_sysctl(path);
  return value && *value != "0";
}

std::string_view suffix(Family family) { return family == Family::kV4 ? "" : "6"; }

}  // namespace

Result<std::unique_ptr<KernelFacts>> KernelFacts::open() {
  TRY(auto host, kernel::open_route_lookups());
  return std::unique_ptr<KernelFacts>(new KernelFacts(std::move(host)));
}

explain::Route KernelFacts::route(const explain::RouteQuestion& question) const {
  return route_from(*host_, question);
}

kernel::RouteLookups* KernelFacts::inside(const std::string& netns_path) const {
  if (netns_path.empty()) return nullptr;
  const auto known = inside_.find(netns_path);
  if (known != inside_.end()) return known->second.get();
  auto& lookups = inside_[netns_path];
  if (const auto netns = kernel::open_netns(netns_path))
    if (auto opened = kernel::open_route_lookups(netns->get())) lookups = std::move(*opened);
  return lookups.get();
}

std::optional<explain::Route> KernelFacts::route_inside(const std::string& netns_path,
                                                        const IpAddress& to) const {
  kernel::RouteLookups* lookups = inside(netns_path);
  if (lookups == nullptr) return std::nullopt;
  return route_from(*lookups, {.to = to});
}

bool KernelFacts::is_local(const IpAddress& address, std::string_view link) const {
  if (address.is_loopback()) return link.empty() || link == "lo";
  return std::ranges::any_of(host_->addresses(), [&](const kernel::HostAddress& each) {
    return each.address.address() == address && (link.empty() || each.link == link);
  });
}

std::string KernelFacts::kind_of(std::string_view link) const {
  const auto found = host_->links().find(link);
  return found == host_->links().end() ? std::string() : found->second.kind;
}

bool KernelFacts::forwards(Family family) const {
  return is_on(family == Family::kV4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding");
}

bool KernelFacts::bridges_pass_packets(Family family) const {
  return is_on(fmt::format("net/bridge/bridge-nf-call-ip{}tables", suffix(family)));
}

bool KernelFacts::is_isolated(std::string_view port) const {
  const auto found = host_->links().find(port);
  return found != host_->links().end() && found->second.isolated;
}

}  // namespace fairlead::network
