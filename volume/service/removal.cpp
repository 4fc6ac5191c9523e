#include "volume/service/removal.h"

#include "base/fault.h"
#include "volume/service/snapshot_mounts.h"

namespace fairlead::volume {

namespace {

// Seconds. Between its Mount and the moment in which a runtime binds the path, the kernel knows of
// no user.
constexpr long long kOnItsWay = 10;

}  // namespace

Status Removal::begin(Stored& stored, Backend& backend) {
  const long long age = volumes_.now() - stored.counted;
  if (!stored.volume.mounts.empty() && age >= 0 && age < kOnItsWay)
    return fail(
        Code::kInUse,
        "it is in use: {} mounted it {} s ago, and a container may be starting with it; try "
        "again in some seconds, or have it unmounted",
        shown(stored.volume.mounts.front().client), age);
  TRY(const auto users, backend.users(stored.volume));
  if (!users.empty()) return fail(Code::kInUse, "it is in use: {}; stop what uses it first", users);
  TRY_STATUS(refuse_mounted_snapshots(backend, stored.volume));
  TRY(const auto content, volumes_.lock_content(stored.volume, kReconcileLockDeadline));
  fault_point("volume.remove.checked");
  stored.volume.phase = Phase::kDeleting;
  stored.volume.deleted = volumes_.now();
  stored.volume.mounts.clear();
  for (Snapshot& snapshot : stored.volume.snapshots) snapshot.mounts.clear();
  stored.former.clear();
  TRY_STATUS(volumes_.records().put(stored, state::Durability::kDurable));
  fault_point("volume.remove.intent");
  return {};
}

// Refuses nothing, because the intent is on the disk. An unfinished restore under another name ends
// here too; the volume gets its former name back in the trash.
Status Removal::finish(const Stored& stored, Backend& backend) {
  const Volume& volume = stored.volume;
  TRY_STATUS(backend.remove(volume));
  fault_point("volume.remove.trashed");
  const auto retain = volume.options.retain.count();
  std::optional<TrashedVolume> trashed;
  if (retain > 0) {
    trashed = TrashedVolume{.volume = volume, .due = volume.deleted + retain};
    if (!stored.former.empty()) {
      TRY(trashed->volume.name, VolumeName::parse(stored.former));
    }
  }
  TRY_STATUS(volumes_.records().erase(volume, trashed));
  fault_point("volume.remove.erased");
  if (retain == 0) reaper_.take(backend, volume);
  return {};
}

Status Removal::abandon(const Volume& volume) {
  TRY(Backend* const backend, volumes_.backends().find(volume));
  TRY_STATUS(backend->discard(volume));
  fault_point("volume.abandon.discarded");
  return volumes_.records().erase(volume);
}

Status Removal::clear_leftovers(const Stored& stored) {
  if (stored.volume.phase == Phase::kCreating) return abandon(stored.volume);
  TRY(Backend* const backend, volumes_.backends().find(stored.volume));
  return finish(stored, *backend);
}

Status Removal::remove(const std::string& name) {
  const auto run = [&]() -> Status {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(auto stored, volumes_.records().by_name(parsed));
    if (!stored) return no_such_volume(parsed);
    if (stored->volume.phase == Phase::kCreating) {
      TRY_STATUS(abandon(stored->volume));
      return no_such_volume(parsed);
    }
    TRY(Backend* const backend, volumes_.backends().find(stored->volume));
    if (stored->volume.phase == Phase::kReady) TRY_STATUS(begin(*stored, *backend));
    return finish(*stored, *backend);
  };
  return in_context(run(), "remove", name);
}

}  // namespace fairlead::volume
