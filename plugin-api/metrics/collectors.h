// What a scrape tells: collectors, each of which reads one part of the daemon and returns families of
// metrics. docs/metrics.md lists all of them; the names follow Prometheus's conventions (base units, and
// no id that changes with every container where a name will do).
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/metrics/exposition.h"
#include "base/result.h"
#include "network/api/cluster.h"
#include "network/api/service.h"
#include "network/api/traffic.h"
#include "volume/api/service.h"

namespace fairlead::metrics {

using Families = std::vector<Family>;

// Thread-safe; `collect` may be called by several scrapes at once.
struct Collector {
  std::string name;  // the label of how the collector itself does
  std::function<Result<Families>()> collect;
};

// Everything borrowed must outlive the collectors.

// Networks, endpoints, published ports and leases, from the store.
Collector network_collector(network::NetworkService& networks);
// Volumes, snapshots, backups, pools, trash and jobs. Asks file systems, so that it may take long: to
// be wrapped in a SlowCollector.
struct VolumeSources {
  volume::VolumeService& volumes;
  volume::VolumePools& pools;
  volume::VolumeJobs& jobs;
};
Collector volume_collector(const VolumeSources& sources);
// Problems that `fairlead status` would show; as slow as that.
Collector problem_collector(network::NetworkService& networks, volume::VolumeService& volumes);
// The cluster, whose store may not answer: to be wrapped as well.
Collector cluster_collector(network::cluster::Control& cluster);
// What containers and published ports received and sent: six series of each container, and four of each
// port.
Collector traffic_collector(network::TrafficReader& traffic);
// This process, by the names that all of Prometheus's clients use.
Collector process_collector();
// Which version runs.
Collector build_collector(std::string version);

}  // namespace fairlead::metrics
