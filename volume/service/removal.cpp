#include "volume/service/removal.h"

#include <chrono>
#include <thread>

#include "base/fault.h"
#include "volume/service/snapshot_mounts.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Between its Mount and the moment in which a runtime binds the path, the kernel knows of no user.
constexpr auto kOnItsWay = 2s;
constexpr auto kLook = 50ms;

bool is_on_its_way(const Stored& stored, long long now) {
  const std::chrono::seconds age(now - stored.counted);
  return !stored.volume.mounts.empty() && age >= 0s && age < kOnItsWay;
}

}  // namespace

Status Removal::begin(Stored& stored, Backend& backend) {
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

// False: a container may be starting with it.
Result<bool> Removal::try_remove(const VolumeName& name, bool may_wait) {
  TRY(const auto guard, volumes_.lock(name));
  TRY(auto stored, volumes_.records().by_name(name));
  if (!stored) return no_such_volume(name);
  if (stored->volume.phase == Phase::kCreating) {
    TRY_STATUS(abandon(stored->volume));
    return no_such_volume(name);
  }
  TRY(Backend* const backend, volumes_.backends().find(stored->volume));
  if (stored->volume.phase == Phase::kReady) {
    if (may_wait && is_on_its_way(*stored, volumes_.now())) return false;
    TRY_STATUS(begin(*stored, *backend));
  }
  TRY_STATUS(finish(*stored, *backend));
  return true;
}

// Counts refuse nothing, because a runtime that was killed does not take them back. The kernel is
// asked, but after a Mount of this moment only when the container would have it, or it is unmounted.
Status Removal::remove(const std::string& name) {
  const auto run = [&]() -> Status {
    TRY(const auto parsed, VolumeName::parse(name));
    for (const auto end = Clock::now() + kOnItsWay;; std::this_thread::sleep_for(kLook)) {
      TRY(const bool removed, try_remove(parsed, Clock::now() < end));
      if (removed) return {};
    }
  };
  return in_context(run(), "remove", name);
}

}  // namespace fairlead::volume
