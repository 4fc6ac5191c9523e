#include <algorithm>

#include "plugin-api/metrics/collectors.h"

namespace fairlead::metrics {

namespace {

Families collect(const network::cluster::ClusterStatus& status) {
  Family joined{.name = "fairlead_cluster_joined", .help = "1 while this host is a member."};
  joined.add({}, status.joined ? 1 : 0);
  Family holding{.name = "fairlead_cluster_holding",
                 .help = "1 while what other hosts say is held back until somebody looks at it."};
  holding.add({}, status.is_holding ? 1 : 0);
  Family hosts{.name = "fairlead_cluster_hosts", .help = "Hosts of the cluster, by state."};
  hosts.add({{"state", "alive"}}, static_cast<double>(status.alive));
  hosts.add({{"state", "suspect"}}, static_cast<double>(status.suspect));
  hosts.add({{"state", "gone"}}, static_cast<double>(status.gone));
  Family networks{.name = "fairlead_cluster_networks", .help = "Networks of the cluster."};
  networks.add({}, static_cast<double>(status.networks));
  Family waiting{.name = "fairlead_cluster_waiting_endpoints",
                 .help = "Endpoints of this host that other hosts are not told of yet."};
  waiting.add({}, static_cast<double>(status.waiting));
  Family problems{.name = "fairlead_cluster_problems", .help = "What is wrong with the cluster."};
  problems.add({}, static_cast<double>(status.problems.size()));
  Family up{.name = "fairlead_etcd_member_up", .help = "Whether the member of etcd answers."};
  Family leader{.name = "fairlead_etcd_member_has_leader",
                .help = "Whether the member of etcd knows a leader."};
  for (const auto& member : status.members) {
    const Labels labels{{"endpoint", member.endpoint}};
    up.add(labels, member.error.empty() ? 1 : 0);
    leader.add(labels, member.has_leader ? 1 : 0);
  }
  return {std::move(joined),  std::move(holding),  std::move(hosts), std::move(networks),
          std::move(waiting), std::move(problems), std::move(up),    std::move(leader)};
}

}  // namespace

Collector cluster_collector(network::cluster::Control& cluster) {
  return {"cluster", [&cluster]() -> Result<Families> { return collect(cluster.status()); }};
}

}  // namespace fairlead::metrics
