#include "volume/service/locked_volumes.h"

#include <algorithm>

#include "base/log.h"
#include "volume/service/archive_snapshots.h"
#include "volume/service/clone_jobs.h"

namespace fairlead::volume {

tl::unexpected<Error> no_such_volume(const VolumeName& name) {
  return fail(Code::kNotFound, "volume \"{}\" does not exist", name.str());
}

const Snapshot* find_snapshot(const Volume& volume, std::string_view name) {
  const auto found = std::ranges::find_if(
      volume.snapshots, [&](const Snapshot& snapshot) { return snapshot.name.str() == name; });
  return found == volume.snapshots.end() ? nullptr : &*found;
}

Result<SnapshotName> free_snapshot_name(const Volume& volume, const std::string& wanted) {
  std::string name = wanted;
  for (int next = 2; find_snapshot(volume, name) != nullptr; ++next)
    name = fmt::format("{}-{}", wanted, next);
  return SnapshotName::parse(name);
}

LockedVolumes::LockedVolumes(state::Store& store, NamedLocks& locks, BackendRegistry& backends,
                             Environment environment)
    : records_(store, environment.boot),
      jobs_(store, locks, environment.now),
      locks_(locks),
      backends_(backends),
      environment_(environment),
      now_(std::move(environment.now)),
      hooks_(environment.hooks) {}

void LockedVolumes::write_down(const Volume& volume) {
  const auto run = [&]() -> Status {
    TRY(Backend* const backend, backends_.find(volume));
    return backend->write_down(volume);
  };
  if (const auto done = run(); !done)
    log::warn("what is kept beside a volume is out of date",
              {{"volume", volume.name.str()}, {"error", done.error().text}});
}

Result<std::vector<std::string>> LockedVolumes::admit(Backend& backend, std::uint64_t more) {
  if (!environment_.admit) return std::vector<std::string>();
  TRY(const auto room, backend.room());
  return environment_.admit(room, more);
}

// A verb that holds the lock for long is a job, so that the error can tell how far it is.
Result<LockedVolumes::Guard> LockedVolumes::lock(const VolumeName& name,
                                                 std::chrono::milliseconds deadline) {
  auto guard = locks_.lock("volume-" + name.str(), deadline);
  if (guard || guard.error().code != Code::kUnavailable) return guard;
  const auto job = jobs_.running(name.str());
  if (!job) return guard;
  const std::string far = progress_text(job->done, job->total);
  if (job->verb == "clone" && job->volume == name.str())
    return fail(Code::kUnavailable, "still being copied: {}; the same call again waits on", far);
  return fail(Code::kUnavailable,
              "volume \"{}\" is busy with a {}: {}; try again, or stop it (fairlead jobs stop {})",
              name.str(), job->verb, far, job->id);
}

Result<std::array<std::optional<LockedVolumes::Guard>, 2>> LockedVolumes::lock_both(
    const VolumeName& name, const VolumeName& other) {
  std::array<std::optional<Guard>, 2> guards;
  const auto take = [&](std::size_t slot, const VolumeName& which) -> Status {
    TRY(guards[slot], lock(which));
    return {};
  };
  TRY_STATUS(name < other ? take(0, name) : take(1, other));
  TRY_STATUS(name < other ? take(1, other) : take(0, name));
  return guards;
}

Result<std::vector<LockedVolumes::Guard>> LockedVolumes::lock_all(
    const std::vector<VolumeName>& names) {
  std::vector<Guard> guards;
  for (const VolumeName& name : names) {
    TRY(auto guard, lock(name));
    guards.push_back(std::move(guard));
  }
  return guards;
}

Result<LockedVolumes::Guard> LockedVolumes::lock_hooks(const Volume& volume) {
  auto guard = locks_.lock("volume.hooks-" + volume.id, kLockDeadline);
  if (guard || guard.error().code != Code::kUnavailable) return guard;
  return fail(Code::kUnavailable,
              "the hooks of another snapshot of volume \"{}\" are running; try again",
              volume.name.str());
}

// No volume's name begins with a dot, so this cannot be the lock of a volume.
Result<LockedVolumes::Guard> LockedVolumes::lock_content(const Volume& volume,
                                                         std::chrono::milliseconds deadline) {
  auto guard = locks_.lock("volume.content-" + volume.id, deadline);
  if (guard || guard.error().code != Code::kUnavailable) return guard;
  const auto job = jobs_.running(volume.name.str());
  return fail(Code::kInUse, "a {} of it is going on{}; try again when it has ended",
              job ? job->verb : "clone",
              job ? fmt::format(" ({})", progress_text(job->done, job->total)) : "");
}

Result<LockedVolumes::Guard> LockedVolumes::lock_for_archive(const Volume& volume) {
  return locks_.lock(archive_lock_of(volume), std::chrono::milliseconds(0));
}

Result<LockedVolumes::Guard> LockedVolumes::lock_trash(const Volume& volume) {
  return locks_.lock("volume.trash-" + volume.id, kLockDeadline);
}

Result<std::optional<Stored>> LockedVolumes::ready(const VolumeName& name) {
  TRY(auto stored, records_.by_name(name));
  if (!stored || stored->volume.phase != Phase::kReady) return std::nullopt;
  return stored;
}

Result<OpenVolume> LockedVolumes::open(const VolumeName& name) {
  TRY(auto stored, ready(name));
  if (!stored) return no_such_volume(name);
  TRY(Backend* const backend, backends_.find(stored->volume));
  return OpenVolume{std::move(*stored), backend};
}

Volume LockedVolumes::with_path(Volume volume) {
  if (const auto backend = backends_.find(volume))
    volume.mountpoint = (*backend)->data_path(volume);
  return volume;
}

}  // namespace fairlead::volume
