// Which snapshots a schedule asks for, and which of them are kept, as pure functions of the time.
//
// One snapshot serves all kinds: with hourly:24,daily:7 there is one each hour, and the newest of a
// day serves as the daily one. Rejected: a snapshot for each kind, which would be five at the turn
// of the year, where a snapshot may be a copy.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "volume/api/options.h"
#include "volume/api/types.h"

namespace fairlead::volume {

struct SnapshotPlan {
  std::string make;               // name of the snapshot that is due; empty: none
  std::vector<std::string> drop;  // ids of snapshots that are no longer kept, oldest first

  bool operator==(const SnapshotPlan&) const = default;
};

// A snapshot is due when some kind of the schedule has none in the present hour, day, ISO week,
// month or year (UTC). For each kind and its number n, the newest snapshot of each of the last n
// periods that have one is kept. Only snapshots that a schedule made are counted and dropped;
// `make` counts as made. Those from the future (the clock ran ahead) are neither counted nor
// dropped until their time has come. Names are "hourly-2026-01-31T12", "daily-2026-01-31", "weekly-2026-W05",
// "monthly-2026-01" and "yearly-2026", by the finest kind of the schedule that lacks a snapshot.
SnapshotPlan plan_snapshots(const Schedule& schedule, const std::vector<Snapshot>& there,
                            long long now);

// Something that a retention keeps or not.
struct Moment {
  std::string id;
  long long created = 0;  // Unix seconds
};

// The ids of what is kept: the newest `last`, and for each kind and its number n the newest of each
// of the last n periods that have one. What is from the future fills no place and is kept.
std::set<std::string> kept_by(const Retention& keep, std::vector<Moment> there, long long now);

// Whether some kind of the schedule has nothing yet in its present period, when the last was made
// at `last` (0, or in the future: never). What was missed is due once.
bool is_due(const Schedule& schedule, long long last, long long now);

}  // namespace fairlead::volume
