#include "network/service/neighbours.h"

#include <fmt/format.h>

#include <algorithm>

namespace fairlead::network {

namespace {

constexpr std::size_t kEntriesOfAnEndpoint = 2;

bool has_address(const Endpoint& endpoint, Family family) {
  return std::ranges::any_of(endpoint.addresses,
                             [&](const Cidr& each) { return each.address().family() == family; });
}

}  // namespace

std::vector<std::string> neighbour_problems(kernel::HostRouting& routing,
                                            std::span<const Endpoint> endpoints) {
  std::vector<std::string> problems;
  for (const Family family : {Family::kV4, Family::kV6}) {
    const auto limit = routing.neighbour_limit(family);
    const auto count = static_cast<std::size_t>(std::ranges::count_if(
        endpoints, [&](const Endpoint& each) { return has_address(each, family); }));
    const std::size_t needed = count * kEntriesOfAnEndpoint;
    if (!limit || !*limit || needed <= **limit) continue;
    problems.push_back(fmt::format(
        "the kernel keeps {} neighbours of IPv{} for the host and all its containers, and {} "
        "containers need about {}: when it has no more room, the first packets to a neighbour are "
        "lost; `sysctl -w net.ipv{}.neigh.default.gc_thresh3={}`",
        **limit, family == Family::kV4 ? 4 : 6, count, needed, family == Family::kV4 ? 4 : 6,
        std::max<std::size_t>(8192, needed * 2)));
  }
  return problems;
}

}  // namespace fairlead::network
