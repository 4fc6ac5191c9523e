#include "volume/service/snapshots.h"

#include <algorithm>
#include <ctime>

#include "base/fault.h"
#include "base/hash.h"
#include "volume/service/hooks.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kLongestName = 128;

tl::unexpected<Error> no_such_snapshot(const std::string& snapshot) {
  return fail(Code::kNotFound, "it has no snapshot \"{}\"", shown(snapshot));
}

}  // namespace

std::string name_of_time(long long time) {
  const std::time_t moment = time;
  std::tm parts{};
  ::gmtime_r(&moment, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}.{:02}.{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string name_of_replaced(const Snapshot& snapshot, long long time) {
  const std::string end = "-" + name_of_time(time);
  return fmt::format("before-{}", snapshot.name.str()).substr(0, kLongestName - end.size() - 4) +
         end;
}

Snapshot snapshot_of(const Volume& volume, const SnapshotName& name, SnapshotOrigin origin,
                     long long now) {
  return {.id = random_hex(32),
          .name = name,
          .origin = origin,
          .created = now,
          .size = volume.options.size};
}

Status refuse_one_too_many(const Volume& volume) {
  if (volume.snapshots.size() < kMostSnapshots) return {};
  return fail(Code::kExhausted, "it has {} snapshots already; remove some first",
              volume.snapshots.size());
}

Result<Snapshot> Snapshots::take_of(OpenVolume& opened, const SnapshotName& name,
                                    SnapshotOrigin origin, const Progress& progress) {
  const Volume& volume = opened.stored.volume;
  TRY_STATUS(refuse_one_too_many(volume));
  const Snapshot made = snapshot_of(volume, name, origin, volumes_.now());
  JobRun job(
      volumes_.jobs(),
      {.verb = "snapshot", .volume = volume.name.str(), .arguments = {{"snapshot", name.str()}}},
      progress, JobSeen::kWhenLong);
  const Change taken{.kind = ChangeKind::kSnapshot, .snapshot = made, .kept = {}, .size = 0};
  TRY_STATUS(job.end(changes_.make(opened, taken, job.progress())));
  return made;
}

// The hooks are told a name before the lock is taken; one of the time may have to be another one
// then.
Result<Snapshot> Snapshots::take(const std::string& name, const std::string& snapshot,
                                 const Progress& progress) {
  const auto run = [&]() -> Result<Snapshot> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto wanted,
        SnapshotName::parse(snapshot.empty() ? name_of_time(volumes_.now()) : snapshot));
    TRY(auto hooks, HooksAround::begin(volumes_, {parsed}, "snapshot", wanted.str(), progress));
    auto taken = take_locked(parsed, wanted, snapshot.empty(), progress);
    hooks.end(taken.has_value());
    return taken;
  };
  return in_context(run(), "snapshot", name);
}

Result<Snapshot> Snapshots::take_locked(const VolumeName& name, const SnapshotName& wanted,
                                        bool or_another, const Progress& progress) {
  TRY(const auto guard, volumes_.lock(name));
  TRY(auto opened, changes_.open(name));
  const Volume& volume = opened.stored.volume;
  if (or_another) {
    TRY(const auto free, free_snapshot_name(volume, wanted.str()));
    return take_of(opened, free, SnapshotOrigin::kUser, progress);
  }
  if (find_snapshot(volume, wanted.str()) != nullptr)
    return fail(Code::kExists, "it has a snapshot \"{}\" already; choose another name",
                wanted.str());
  return take_of(opened, wanted, SnapshotOrigin::kUser, progress);
}

Result<Snapshot> Snapshots::take_for_archive(const std::string& name) {
  // A backend that shares blocks reports no progress. One that would have to copy does, and is
  // stopped by that at once: reading the original costs less than a copy.
  const Progress no_copy = [](std::uint64_t, std::uint64_t) { return false; };
  const auto run = [&]() -> Result<Snapshot> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto own, SnapshotName::parse("for-archive-" + random_hex(16)));
    TRY(auto hooks, HooksAround::begin(volumes_, {parsed}, "archive", own.str(), {}));
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(auto opened, changes_.open(parsed));
    auto taken = take_of(opened, own, SnapshotOrigin::kArchive, no_copy);
    hooks.end(taken.has_value());
    return taken;
  };
  return in_context(run(), "snapshot", name);
}

Status Snapshots::drop_of(OpenVolume& opened, const Snapshot& snapshot) {
  TRY_STATUS(mounts_.release(opened, snapshot));
  TRY(const auto content, volumes_.lock_content(opened.stored.volume, kReconcileLockDeadline));
  const Change dropped{
      .kind = ChangeKind::kDropSnapshot, .snapshot = snapshot, .kept = {}, .size = 0};
  return changes_.make(opened, dropped, {});
}

Status Snapshots::drop(const std::string& name, const std::string& snapshot) {
  const auto run = [&]() -> Status {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(auto opened, changes_.open(parsed));
    const Snapshot* const found = find_snapshot(opened.stored.volume, snapshot);
    if (found == nullptr) return no_such_snapshot(snapshot);
    return drop_of(opened, Snapshot(*found));
  };
  return in_context(run(), fmt::format("remove snapshot \"{}\" of", shown(snapshot)), name);
}

Result<Snapshot> Snapshots::roll_back(const std::string& name, const std::string& snapshot,
                                      const Progress& progress) {
  const auto run = [&]() -> Result<Snapshot> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(auto opened, changes_.open(parsed));
    const Volume& volume = opened.stored.volume;
    const Snapshot* const found = find_snapshot(volume, snapshot);
    if (found == nullptr) return no_such_snapshot(snapshot);
    TRY(const auto users, opened.backend->users(volume));
    if (!users.empty())
      return fail(Code::kInUse, "it is in use: {}; stop what uses it first", users);
    TRY(const auto content, volumes_.lock_content(volume, kReconcileLockDeadline));
    fault_point("volume.rollback.checked");
    TRY(const auto kept_name, free_snapshot_name(volume, name_of_replaced(*found, volumes_.now())));
    const Change back{
        .kind = ChangeKind::kRollback,
        .snapshot = *found,
        .kept = snapshot_of(volume, kept_name, SnapshotOrigin::kRollback, volumes_.now()),
        .size = 0};
    JobRun job(volumes_.jobs(),
               {.verb = "rollback", .volume = name, .arguments = {{"snapshot", snapshot}}},
               progress, JobSeen::kWhenLong);
    TRY_STATUS(job.end(changes_.make(opened, back, job.progress())));
    return back.kept;
  };
  return in_context(run(), fmt::format("roll back to snapshot \"{}\" of", shown(snapshot)), name);
}

}  // namespace fairlead::volume
