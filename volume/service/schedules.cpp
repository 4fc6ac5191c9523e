#include "volume/service/schedules.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "volume/service/hooks.h"
#include "volume/service/schedule.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostWorkers = 16;

void add(ReconcileReport& all, ReconcileReport&& some) {
  std::ranges::move(some.actions, std::back_inserter(all.actions));
  std::ranges::move(some.failures, std::back_inserter(all.failures));
}

}  // namespace

// Under the lock of the volume; the record is read again. The new snapshot is made first, because
// without it no old one is dropped.
Status Schedules::make_and_drop(const Volume& seen, ReconcileReport& report) {
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

Status Schedules::follow(const Volume& seen, ReconcileReport& report) {
  TRY(const auto stored, volumes_.ready(seen.name));
  if (!stored) return {};
  const auto plan =
      plan_snapshots(stored->volume.options.snapshots, stored->volume.snapshots, volumes_.now());
  if (plan.make.empty()) return make_and_drop(seen, report);
  TRY(auto hooks, HooksAround::begin(volumes_, {seen.name}, "schedule", plan.make, {}));
  const auto followed = make_and_drop(seen, report);
  hooks.end(followed.has_value());
  return followed;
}

// Returns whether each volume may go on by itself: what has its snapshot by then makes no other
// one.
bool Schedules::take_together(const Unit& unit, ReconcileReport& report) {
  std::string names;
  for (const Volume& volume : unit.volumes)
    names += (names.empty() ? "volume:" : ",volume:") + volume.name.str();
  const auto taken = groups_.take_for({.group = names,
                                       .snapshot = unit.make,
                                       .verb = "schedule",
                                       .origin = SnapshotOrigin::kSchedule},
                                      {});
  if (taken) {
    for (const VolumeSnapshot& one : *taken)
      report.actions.push_back(fmt::format("made snapshot {} of volume \"{}\"",
                                           one.snapshot.name.str(), one.volume.str()));
    return true;
  }
  const Code code = taken.error().code;
  if (code == Code::kUnavailable || code == Code::kNotFound) return false;  // in the next minute
  report.failures.push_back(fmt::format("take the volumes of group \"{}\" at one moment: {}",
                                        unit.label, taken.error().text));
  return code == Code::kUnsupported || code == Code::kInUse;
}

void Schedules::keep(const Unit& unit, ReconcileReport& report) {
  if (unit.volumes.size() > 1 && !take_together(unit, report)) return;
  for (const Volume& volume : unit.volumes) {
    const auto followed = follow(volume, report);
    // The volume is busy or was removed; in the first case the next minute is soon enough.
    if (!followed && followed.error().code != Code::kUnavailable &&
        followed.error().code != Code::kNotFound)
      report.failures.push_back(fmt::format("follow the schedule of volume \"{}\": {}",
                                            volume.name.str(), followed.error().text));
  }
}

std::vector<Schedules::Unit> Schedules::units_of(const std::vector<Stored>& all) {
  std::vector<Unit> units;
  std::map<std::pair<std::string, std::string>, Unit> together;  // by label and snapshot
  for (const Stored& stored : all) {
    const Volume& volume = stored.volume;
    const Schedule& schedule = volume.options.snapshots;
    if (volume.phase != Phase::kReady || schedule == Schedule{}) continue;
    const auto plan = plan_snapshots(schedule, volume.snapshots, volumes_.now());
    if (plan == SnapshotPlan{}) continue;
    const auto label = volume.labels.find(kGroupLabel);
    if (plan.make.empty() || label == volume.labels.end()) {
      units.push_back({.label = {}, .make = plan.make, .volumes = {volume}});
      continue;
    }
    Unit* unit = &together[{label->second, plan.make}];
    if (unit->volumes.size() == kMostInGroup) units.push_back(std::exchange(*unit, {}));
    unit->label = label->second;
    unit->make = plan.make;
    unit->volumes.push_back(volume);
  }
  for (auto& [key, unit] : together) units.push_back(std::move(unit));
  return units;
}

// Reads the records only when something was committed.
Result<std::vector<Schedules::Unit>> Schedules::due() {
  const std::scoped_lock hold(guard_);
  TRY(const auto revision, volumes_.records().revision());
  if (revision != revision_) {
    TRY(auto listing, volumes_.records().all());
    std::erase_if(listing.volumes, [](const Stored& stored) {
      return stored.volume.options.snapshots == Schedule{};
    });
    scheduled_ = std::move(listing.volumes);
    revision_ = revision;
  }
  return units_of(scheduled_);
}

Result<ReconcileReport> Schedules::keep() {
  TRY(const auto units, due());
  std::vector<ReconcileReport> reports(units.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i; (i = next++) < units.size();) keep(units[i], reports[i]);
  };
  {
    std::vector<std::jthread> workers;
    const bool may_wait = volumes_.hooks() != nullptr;
    for (std::size_t i = 1; may_wait && i < std::min(units.size(), kMostWorkers); ++i)
      workers.emplace_back(work);
    work();
  }
  ReconcileReport report;
  for (ReconcileReport& one : reports) add(report, std::move(one));
  return report;
}

}  // namespace fairlead::volume
