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

// How long a Mount may still be on its way to a container.
std::chrono::seconds on_its_way(const Stored& stored, long long now) {
  const std::chrono::seconds age(now - stored.counted);
  if (stored.volume.mounts.empty() || age < 0s || age >= kOnItsWay) return 0s;
  return kOnItsWay - age;
}

}  // namespace

// Counts refuse nothing, because a runtime that was killed does not take them back; the kernel is
// asked, after a Mount of this moment until the container would have it.
Status Removal::begin(Stored& stored, Backend& backend) {
  const auto end = Clock::now() + on_its_way(stored, volumes_.now());
  for (;;) {
    TRY(const auto users, backend.users(stored.volume));
    if (!users.empty())
      return fail(Code::kInUse, "it is in use: {}; stop what uses it first", users);
    if (Clock::now() >= end) break;
    std::this_thread::sleep_for(kLook);
  }
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
