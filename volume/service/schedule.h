// Which snapshots a schedule asks for, and which of them stay: pure functions of the time.
//
// One snapshot serves all kinds: of a schedule hourly:24,daily:7 there is one each hour, and the
// newest of a day is that day's. Rejected: a snapshot of each kind (five at the turn of the year,
// where a snapshot may be a copy).
#pragma once

#include <string>
#include <vector>

#include "volume/api/options.h"
#include "volume/api/types.h"

namespace fairlead::volume {

struct SnapshotPlan {
  std::string make;               // name of the one that is due; empty: none
  std::vector<std::string> drop;  // ids of those that are not kept any longer, oldest first

  bool operator==(const SnapshotPlan&) const = default;
};

// Due is one when some kind of the schedule has none in the present hour, day, ISO week, month or
// year (UTC). Kept are, for each kind and its number n, the newest of each of the n last periods
// that have one. Only snapshots that a schedule made are counted and dropped; `make` is counted as
// made. Names: "hourly-2026-01-31T12", "daily-2026-01-31", "weekly-2026-W05", "monthly-2026-01",
// "yearly-2026", by the finest kind of the schedule that lacks one.
SnapshotPlan plan_snapshots(const Schedule& schedule, const std::vector<Snapshot>& there,
                            long long now);

}  // namespace fairlead::volume
