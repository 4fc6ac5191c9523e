#include "volume/service/schedules.h"

#include <algorithm>

#include "volume/service/schedule.h"

namespace fairlead::volume {

// Follows the schedule of one volume under its lock; the record is read again. The new snapshot is
// made first, because without it no old one is dropped.
Status Schedules::follow(const Volume& seen, ReconcileReport& report) {
  TRY(const auto guard, volumes_.lock(seen.name, kReconcileLockDeadline));
  TRY(auto opened, changes_.open(seen.name));
  const Volume& volume = opened.stored.volume;
  const auto plan = plan_snapshots(volume.options.snapshots, volume.snapshots, volumes_.now());
  if (!plan.make.empty()) {
    TRY(const auto name, free_snapshot_name(volume, plan.make));
    TRY(const auto made, snapshots_.take_of(opened, name, SnapshotOrigin::kSchedule, {}));
    report.actions.push_back(
        fmt::format("made snapshot {} of volume \"{}\"", made.name.str(), volume.name.str()));
  }
  for (const std::string& id : plan.drop) {
    const auto found = std::ranges::find(volume.snapshots, id, &Snapshot::id);
    if (found == volume.snapshots.end()) continue;
    const Snapshot old = *found;
    const auto dropped = snapshots_.drop_of(opened, old);
    if (!dropped && dropped.error().code == Code::kInUse) continue;  // mounted: it stays until then
    TRY_STATUS(dropped);
    report.actions.push_back(
        fmt::format("removed snapshot {} of volume \"{}\"", old.name.str(), volume.name.str()));
  }
  return {};
}

Result<ReconcileReport> Schedules::keep() {
  ReconcileReport report;
  TRY(const auto listing, volumes_.records().all());
  for (const Stored& stored : listing.volumes) {
    const Volume& volume = stored.volume;
    const Schedule& schedule = volume.options.snapshots;
    if (volume.phase != Phase::kReady || schedule == Schedule{}) continue;
    if (plan_snapshots(schedule, volume.snapshots, volumes_.now()) == SnapshotPlan{}) continue;
    const auto followed = follow(volume, report);
    // The volume is busy or was removed; in the first case the next minute is soon enough.
    if (!followed && followed.error().code != Code::kUnavailable &&
        followed.error().code != Code::kNotFound)
      report.failures.push_back(fmt::format("follow the schedule of volume \"{}\": {}",
                                            volume.name.str(), followed.error().text));
  }
  return report;
}

}  // namespace fairlead::volume
