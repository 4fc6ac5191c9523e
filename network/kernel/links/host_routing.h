// Where the host itself routes packets: its subnets, its way out, and whether it forwards.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::kernel {

struct Link;
struct AnswerRoute;
struct RoutingView;

// A prefix to which the host has a route, or in which it has an address.
struct HostRoute {
  Cidr destination;
  std::string interface;    // through which; empty: through none, or through several
  std::uint32_t table = 0;  // of the route; 0: an address
  bool in_vrf = false;      // only what comes from the links of a VRF goes there

  bool operator==(const HostRoute&) const = default;
};

// The prefixes to which the host already has a route, which may conflict with the route to a new
// network.
struct HostSubnets {
  // Of the host's addresses, and of the kernel's own routes to a link in the main table.
  std::vector<HostRoute> connected;
  std::vector<HostRoute> routed;     // other routes of the main table, through gateways for example
  std::vector<HostRoute> elsewhere;  // routes of other tables, which rules may select (a VPN's)
};

// Whether the prefix is a default route or a part of one. VPNs that take all traffic have routes to
// 0.0.0.0/1 and 128.0.0.0/1, or to smaller parts when some networks are excluded.
bool leads_everywhere(const Cidr& network);

// From which links a host takes router advertisements.
enum class Hearing {
  kLearned,  // those from which it has learned routes
  kAny,      // also those of may_hear_routers(): a router may come up, or the link may be new
};

// Whether routers may be on the link: a network card or what is made of cards, and no port of a
// bridge. On the links of containers and machines (veth, tap, bridges) nobody may set the host's
// routes, unless it has learned some from there before it forwarded.
bool may_hear_routers(const Link& link);

// Of the namespace of the Links that it comes from; lives as long as they do. Thread-safe, and not
// for paths that need to be fast: it reads dumps.
class HostRouting {
 public:
  virtual ~HostRouting() = default;

  // Default routes are left out, and so are the parts into which a VPN divides a default route
  // (0.0.0.0/1, 2000::/3): a prefix wider than /8 (IPv4) or /16 (IPv6) leads to the rest of the
  // world.
  virtual Result<HostSubnets> host_subnets() = 0;
  // All subnets of host_subnets(), sorted and without duplicates. A subnet that Fairlead chooses
  // must not overlap any of them.
  Result<std::vector<Cidr>> occupied_subnets();
  // The interface of the IPv4 default route, or else of the IPv6 one; std::nullopt when there is no
  // default route.
  virtual Result<std::optional<Link>> default_route_link() = 0;
  virtual Result<bool> is_forwarding(Family family) = 0;
  // Lets the host forward packets of the family. With IPv6, interfaces that learn their routes from
  // router advertisements go on doing so (accept_ra=2). Returns whether anything was changed.
  virtual Result<bool> enable_forwarding(Family family) = 0;
  // How many neighbours (MAC addresses) of the family the kernel keeps at most, in all namespaces
  // together. Only the first namespace of the machine knows: std::nullopt in others.
  virtual Result<std::optional<std::size_t>> neighbour_limit(Family family) = 0;
  // Sets accept_ra to 2 where it is 1, since a host that forwards ignores router advertisements
  // otherwise: on links from which routes were learned, or on every link that may have a router.
  // Returns the names of the links that it changed.
  virtual Result<std::vector<std::string>> keep_router_advertisements(Hearing of) = 0;
  // The host's addresses, its ways out, and the rules between them (answer_routes.h).
  virtual Result<RoutingView> routing_view() = 0;
  // Makes the routes of answers what is given, and removes all others. Where the host checks
  // strictly from where packets come (rp_filter), the mark counts for it from then on. Returns
  // whether a rule or a route was changed.
  virtual Result<bool> set_answer_routes(std::span<const AnswerRoute> answers) = 0;
};

}  // namespace fairlead::kernel
