// A store that measures how long the one behind it takes.
#pragma once

#include <memory>
#include <vector>

#include "base/metrics/exposition.h"
#include "base/state/store.h"

namespace fairlead {

// What is measured. Outlives the store.
struct StoreTimes {
  metrics::LatencyHistogram reads, commits;
  metrics::Counter failures;  // what the store could not do, and not what it refused

  // Of etcd: fairlead_etcd_request_duration_seconds, fairlead_etcd_failures_total.
  std::vector<metrics::Family> families() const;
};

// Neither is owned.
std::unique_ptr<state::Store> make_timed_store(state::Store& store, StoreTimes& times);

}  // namespace fairlead
