#include <algorithm>

#include "volume/service/schedule.h"
#include "volume/service/service_impl.h"

namespace fairlead::volume {

namespace {

std::string free_schedule_name(const Volume& volume, const std::string& wanted) {
  std::string name = wanted;
  for (int next = 2; find_snapshot(volume, name) != nullptr; ++next)
    name = fmt::format("{}-{}", wanted, next);
  return name;
}

}  // namespace

// Follows the schedule of one volume under its lock; the record is read again. The new snapshot is
// made first, because without it no old one is dropped.
Status Service::follow_schedule(const Volume& seen, ReconcileReport& report) {
  TRY(const auto guard, lock(seen.name, kReconcileLockDeadline));
  TRY(auto opened, settled(seen.name));
  const Volume& volume = opened.stored.volume;
  const auto plan = plan_snapshots(volume.options.snapshots, volume.snapshots, now_());
  if (!plan.make.empty()) {
    TRY(const auto name, SnapshotName::parse(free_schedule_name(volume, plan.make)));
    TRY(const auto made, take_under_lock(opened, name, SnapshotOrigin::kSchedule, {}));
    report.actions.push_back(
        fmt::format("made snapshot {} of volume \"{}\"", made.name.str(), volume.name.str()));
  }
  for (const std::string& id : plan.drop) {
    const auto found = std::ranges::find(volume.snapshots, id, &Snapshot::id);
    if (found == volume.snapshots.end()) continue;
    const Snapshot old = *found;
    TRY_STATUS(drop_under_lock(opened, old));
    report.actions.push_back(
        fmt::format("removed snapshot {} of volume \"{}\"", old.name.str(), volume.name.str()));
  }
  return {};
}

Result<ReconcileReport> Service::keep_schedules() {
  ReconcileReport report;
  TRY(const auto listing, records_.all());
  for (const Stored& stored : listing.volumes) {
    const Volume& volume = stored.volume;
    const Schedule& schedule = volume.options.snapshots;
    if (volume.phase != Phase::kReady || schedule == Schedule{}) continue;
    if (plan_snapshots(schedule, volume.snapshots, now_()) == SnapshotPlan{}) continue;
    const auto followed = follow_schedule(volume, report);
    // The volume is busy or was removed; in the first case the next minute is soon enough.
    if (!followed && followed.error().code != Code::kUnavailable &&
        followed.error().code != Code::kNotFound)
      report.failures.push_back(fmt::format("follow the schedule of volume \"{}\": {}",
                                            volume.name.str(), followed.error().text));
  }
  return report;
}

}  // namespace fairlead::volume
