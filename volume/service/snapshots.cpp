#include <algorithm>

#include "base/fault.h"
#include "base/hash.h"
#include "volume/service/service_impl.h"

namespace fairlead::volume {

namespace {

// A record can hold many more; file systems get slow before that.
constexpr std::size_t kMostSnapshots = 2048;
constexpr std::size_t kLongestName = 128;

// The wanted name, or with "-2", "-3", ... where it is taken.
Result<SnapshotName> free_name(const Volume& volume, const std::string& wanted) {
  std::string name = wanted;
  for (int next = 2; find_snapshot(volume, name) != nullptr; ++next)
    name = fmt::format("{}-{}", wanted, next);
  return SnapshotName::parse(name);
}

tl::unexpected<Error> no_such_snapshot(const std::string& snapshot) {
  return fail(Code::kNotFound, "it has no snapshot \"{}\"", shown(snapshot));
}

Snapshot snapshot_of(const Volume& volume, const SnapshotName& name, SnapshotOrigin origin,
                     long long now) {
  return {.id = random_hex(32),
          .name = name,
          .origin = origin,
          .created = now,
          .size = size_of(volume)};
}

}  // namespace

Result<Snapshot> Service::take_under_lock(OpenVolume& opened, const SnapshotName& name,
                                          SnapshotOrigin origin, const Progress& progress) {
  const Volume& volume = opened.stored.volume;
  if (volume.snapshots.size() >= kMostSnapshots)
    return fail(Code::kExhausted, "it has {} snapshots already; remove some first",
                volume.snapshots.size());
  const Snapshot made = snapshot_of(volume, name, origin, now_());
  JobRun job(
      jobs_,
      {.verb = "snapshot", .volume = volume.name.str(), .arguments = {{"snapshot", name.str()}}},
      progress, JobSeen::kWhenLong);
  const Change taken{.kind = ChangeKind::kSnapshot, .snapshot = made, .kept = {}, .size = 0};
  TRY_STATUS(job.end(change(opened, taken, job.progress())));
  return made;
}

Result<Snapshot> Service::take_snapshot(const std::string& name, const std::string& snapshot,
                                        const Progress& progress) {
  const auto run = [&]() -> Result<Snapshot> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, lock(parsed));
    TRY(auto opened, settled(parsed));
    const Volume& volume = opened.stored.volume;
    TRY(const auto wanted,
        snapshot.empty() ? free_name(volume, time_name(now_())) : SnapshotName::parse(snapshot));
    if (find_snapshot(volume, wanted.str()) != nullptr)
      return fail(Code::kExists, "it has a snapshot \"{}\" already; choose another name",
                  wanted.str());
    return take_under_lock(opened, wanted, SnapshotOrigin::kUser, progress);
  };
  return in_context(run(), "snapshot", name);
}

Result<Snapshot> Service::take_archive_snapshot(const std::string& name) {
  // A backend that shares blocks reports no progress. One that would have to copy does, and is
  // stopped by that at once: reading the original costs less than a copy.
  const Progress no_copy = [](std::uint64_t, std::uint64_t) { return false; };
  const auto run = [&]() -> Result<Snapshot> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, lock(parsed));
    TRY(auto opened, settled(parsed));
    TRY(const auto own, SnapshotName::parse("for-archive-" + random_hex(16)));
    return take_under_lock(opened, own, SnapshotOrigin::kArchive, no_copy);
  };
  return in_context(run(), "snapshot", name);
}

Status Service::drop_under_lock(OpenVolume& opened, const Snapshot& snapshot) {
  TRY(const auto content, lock_content(opened.stored.volume, kReconcileLockDeadline));
  const Change dropped{
      .kind = ChangeKind::kDropSnapshot, .snapshot = snapshot, .kept = {}, .size = 0};
  return change(opened, dropped, {});
}

Status Service::drop_snapshot(const std::string& name, const std::string& snapshot) {
  const auto run = [&]() -> Status {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, lock(parsed));
    TRY(auto opened, settled(parsed));
    const Snapshot* const found = find_snapshot(opened.stored.volume, snapshot);
    if (found == nullptr) return no_such_snapshot(snapshot);
    return drop_under_lock(opened, Snapshot(*found));
  };
  return in_context(run(), fmt::format("remove snapshot \"{}\" of", shown(snapshot)), name);
}

Result<Snapshot> Service::roll_back(const std::string& name, const std::string& snapshot,
                                    const Progress& progress) {
  const auto run = [&]() -> Result<Snapshot> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, lock(parsed));
    TRY(auto opened, settled(parsed));
    const Volume& volume = opened.stored.volume;
    const Snapshot* const found = find_snapshot(volume, snapshot);
    if (found == nullptr) return no_such_snapshot(snapshot);
    TRY(const auto users, opened.backend->users(volume));
    if (!users.empty())
      return fail(Code::kInUse, "it is in use: {}; stop what uses it first", users);
    TRY(const auto content, lock_content(volume, kReconcileLockDeadline));
    fault_point("volume.rollback.checked");
    const std::string time = "-" + time_name(now_());
    const std::string before =
        fmt::format("before-{}", found->name.str()).substr(0, kLongestName - time.size() - 4);
    TRY(const auto kept_name, free_name(volume, before + time));
    const Change back{.kind = ChangeKind::kRollback,
                      .snapshot = *found,
                      .kept = snapshot_of(volume, kept_name, SnapshotOrigin::kRollback, now_()),
                      .size = 0};
    JobRun job(jobs_, {.verb = "rollback", .volume = name, .arguments = {{"snapshot", snapshot}}},
               progress, JobSeen::kWhenLong);
    TRY_STATUS(job.end(change(opened, back, job.progress())));
    return back.kept;
  };
  return in_context(run(), fmt::format("roll back to snapshot \"{}\" of", shown(snapshot)), name);
}

}  // namespace fairlead::volume
