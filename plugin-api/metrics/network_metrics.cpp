#include <algorithm>
#include <map>
#include <set>

#include "plugin-api/metrics/collectors.h"

namespace fairlead::metrics {

namespace {

using network::AddressLease;
using network::Endpoint;
using network::Network;
using network::NetworkUsage;
using network::Subnet;

// Networks of one title count together: a scrape must not name a series twice.
void add_up(Family& family) {
  std::map<Labels, double> sums;
  for (const Sample& sample : family.samples) sums[sample.labels] += sample.value;
  family.samples.clear();
  for (const auto& [labels, sum] : sums) family.add(labels, sum);
}

// Addresses that can be given out: not those of the subnet itself and of its broadcast.
double room_of(const Subnet& subnet) {
  const Cidr& addresses = subnet.range ? *subnet.range : subnet.subnet;
  double room = static_cast<double>(addresses.size());
  constexpr unsigned kShortestWithBroadcast = 30;
  if (subnet.subnet.is_v4() && subnet.subnet.prefix_length() <= kShortestWithBroadcast) {
    room -= addresses.contains(subnet.subnet.first()) ? 1 : 0;
    room -= addresses.contains(subnet.subnet.last()) ? 1 : 0;
  }
  return room;
}

Families lease_families(const std::vector<NetworkUsage>& usages,
                        const std::vector<AddressLease>& leases) {
  Family used{.name = "fairlead_subnet_leases_used",
              .help = "Addresses of the subnet that are taken: by endpoints, gateways, or kept."};
  Family free{.name = "fairlead_subnet_leases_free",
              .help = "Addresses of the subnet (or of its range) that can still be given out."};
  std::map<std::pair<std::string, Cidr>, std::vector<const AddressLease*>> taken;
  for (const AddressLease& lease : leases)
    taken[{lease.network_id, lease.subnet}].push_back(&lease);
  for (const NetworkUsage& usage : usages)
    for (const Subnet& subnet : usage.network.subnets) {
      const auto& of_subnet = taken[{usage.network.id, subnet.subnet}];
      double in_range = 0;
      for (const AddressLease* lease : of_subnet)
        in_range += !subnet.range || subnet.range->contains(lease->address) ? 1 : 0;
      const Labels labels{{"network", title_of(usage.network)},
                          {"subnet", subnet.subnet.to_string()}};
      used.add(labels, static_cast<double>(of_subnet.size()));
      free.add(labels, std::max(0.0, room_of(subnet) - in_range));
    }
  return {std::move(used), std::move(free)};
}

// Networks by mode, and what each has.
Families network_families(const std::vector<NetworkUsage>& usages,
                          const std::vector<Endpoint>& endpoints) {
  Family networks{.name = "fairlead_networks", .help = "Networks, by mode."};
  Family attached{.name = "fairlead_endpoints",
                  .help = "Endpoints, by network and by the runtime that has made them."};
  Family ports{.name = "fairlead_published_ports",
               .help = "Ports of the host that lead to containers of the network."};
  std::map<std::string, double> by_mode;
  std::map<std::string, std::string> titles;
  std::map<std::string, double> ports_of;
  for (const NetworkUsage& usage : usages) {
    by_mode[usage.network.options.mode] += 1;
    titles[usage.network.id] = title_of(usage.network);
    ports_of[usage.network.id] = 0;
  }
  std::map<std::pair<std::string, std::string>, double> by_runtime;
  for (const Endpoint& endpoint : endpoints) {
    if (!titles.contains(endpoint.network_id)) continue;  // made since
    by_runtime[{endpoint.network_id, endpoint.runtime}] += 1;
    for (const network::PublishedPort& port : endpoint.ports)
      ports_of[endpoint.network_id] += port.last() - port.host_port + 1;
  }
  for (const auto& [mode, count] : by_mode) networks.add({{"mode", mode}}, count);
  for (const auto& [key, count] : by_runtime)
    attached.add({{"network", titles[key.first]}, {"runtime", key.second}}, count);
  for (const auto& [id, count] : ports_of) ports.add({{"network", titles[id]}}, count);
  return {std::move(networks), std::move(attached), std::move(ports)};
}

Result<Families> collect(network::NetworkService& networks) {
  TRY(const auto usages, networks.list_networks());
  TRY(const auto endpoints, networks.list_endpoints(std::nullopt));
  TRY(const auto leases, networks.list_leases(std::nullopt));
  Families families = network_families(usages, endpoints);
  for (Family& family : lease_families(usages, leases)) families.push_back(std::move(family));
  for (Family& family : families) add_up(family);
  return families;
}

}  // namespace

Collector network_collector(network::NetworkService& networks) {
  return {"networks", [&networks] { return collect(networks); }};
}

}  // namespace fairlead::metrics
