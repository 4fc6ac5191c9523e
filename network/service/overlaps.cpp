#include "network/service/overlaps.h"

#include <algorithm>

namespace fairlead::network {

namespace {

using kernel::HostRoute;

std::string through(const HostRoute& route) {
  return route.interface.empty() ? std::string() : " through " + route.interface;
}

class Overlaps {
 public:
  Overlaps(const Network& network, const std::vector<IfName>& own) : network_(network), own_(own) {}

  void add_connected(const HostRoute& route) {
    for (const Subnet& subnet : network_.subnets)
      if (is_others(route) && subnet.subnet.overlaps(route.destination))
        say(subnet.subnet,
            fmt::format("interface {} has {}", route.interface, route.destination.to_string()));
  }
  void add_routed(const HostRoute& route) {
    for (const Subnet& subnet : network_.subnets)
      if (is_others(route) && subnet.subnet.contains(route.destination))
        say(subnet.subnet,
            fmt::format("there is a route to {}{}", route.destination.to_string(), through(route)));
  }
  // Rules lead to other tables before the main one is looked at, so wider prefixes count there.
  void add_elsewhere(const HostRoute& route) {
    for (const Subnet& subnet : network_.subnets)
      if (is_others(route) && !route.in_vrf && subnet.subnet.overlaps(route.destination))
        say(subnet.subnet, fmt::format("there is a route to {}{} in table {}",
                                       route.destination.to_string(), through(route), route.table));
  }
  std::vector<std::string> all() && { return std::move(problems_); }

 private:
  bool is_others(const HostRoute& route) const {
    return std::ranges::none_of(own_,
                                [&](const IfName& name) { return name.str() == route.interface; });
  }
  void say(const Cidr& subnet, const std::string& what) {
    std::string text = fmt::format(
        "{}, which overlaps the subnet {} of network {}: packets for one of them go to the other; "
        "take that away, or make the network again with another subnet",
        what, subnet.to_string(), network_.name.str());
    if (std::ranges::find(problems_, text) == problems_.end()) problems_.push_back(std::move(text));
  }

  const Network& network_;
  const std::vector<IfName>& own_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> overlaps_of(const Network& network, const std::vector<IfName>& own,
                                     const kernel::HostSubnets& host) {
  Overlaps overlaps(network, own);
  for (const HostRoute& route : host.connected) overlaps.add_connected(route);
  for (const HostRoute& route : host.routed) overlaps.add_routed(route);
  for (const HostRoute& route : host.elsewhere) overlaps.add_elsewhere(route);
  return std::move(overlaps).all();
}

}  // namespace fairlead::network
