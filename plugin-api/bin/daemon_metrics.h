// What the daemon counts, and how it tells it: the collectors of plugin-api/metrics, and those of what
// only the daemon knows.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <optional>

#include "base/metrics/metrics.h"
#include "network/service/mender.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/bin/name_service.h"
#include "plugin-api/bin/timed_store.h"
#include "plugin-api/http/message.h"
#include "plugin-api/metrics/call_meter.h"
#include "plugin-api/metrics/metrics_handler.h"
#include "plugin-api/metrics/slow_collector.h"

namespace fairlead {

// What was put right.
enum class Repair {
  kFirewall,
  kLinks,
  kForwarding,
  kSettings,
  kOtherFirewalls,
  kNetworks,  // these three: found when everything was looked over
  kVolumes,
  kPools,
};
inline constexpr std::size_t kRepairs = 8;

// The kind of a repair after events of the kernel, by the worst that they told of.
Repair repair_of(const network::Damage& damage);

// All methods are thread-safe, except those that wrap handlers.
class DaemonMetrics {
 public:
  // `etcd` counts where the host is in a cluster.
  DaemonMetrics(Core& core, const StoreTimes& etcd);

  // What answers as `next` does, and is counted.
  http::Handler of_docker(http::Handler next);
  http::Handler of_native(http::Handler next);
  http::Handler of_cni(http::Handler next);
  http::Handler of_netavark(http::Handler next);

  void repaired(Repair kind, std::size_t count);
  // nullptr: nobody does any more. It must outlive that call.
  void answers_names(const NameAnswering* names);

  // Of /metrics. This must outlive it.
  http::Handler handler();

 private:
  Result<metrics::Families> repairs() const;
  Result<metrics::Families> names();

  Core& core_;
  const StoreTimes& etcd_;
  metrics::CallMeter calls_;
  std::array<metrics::Counter, kRepairs> repairs_;
  std::mutex guard_;
  const NameAnswering* names_ = nullptr;
  metrics::SlowCollector volumes_, problems_;
  std::optional<metrics::SlowCollector> cluster_;
};

}  // namespace fairlead
