#include "volume/service/removal.h"

#include <chrono>
#include <thread>

#include "base/fault.h"
#include "base/log.h"
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

bool goes_behind(const Stored& stored, const Backend& backend) {
  const VolumeOptions& options = stored.volume.options;
  return options.retain.count() == 0 && stored.volume.pool.empty() &&
         backend.follows_from_record(options);
}

}  // namespace

// The lock of the content is held while the volume goes.
Result<LockedVolumes::Guard> Removal::refuse_used(const Stored& stored, Backend& backend) {
  TRY(const auto users, backend.users(stored.volume));
  if (!users.empty()) return fail(Code::kInUse, "it is in use: {}; stop what uses it first", users);
  TRY_STATUS(refuse_mounted_snapshots(backend, stored.volume));
  TRY(auto content, volumes_.lock_content(stored.volume, kReconcileLockDeadline));
  fault_point("volume.remove.checked");
  return content;
}

Status Removal::begin(Stored& stored, Backend& backend) {
  TRY(const auto content, refuse_used(stored, backend));
  stored.volume.phase = Phase::kDeleting;
  stored.volume.deleted = volumes_.now();
  stored.volume.mounts.clear();
  for (Snapshot& snapshot : stored.volume.snapshots) snapshot.mounts.clear();
  stored.former.clear();
  TRY_STATUS(volumes_.records().put(stored, state::Durability::kDurable));
  fault_point("volume.remove.intent");
  return {};
}

// One commit frees the name and says what has to go; that is done behind the answer, by whoever finds
// it. Here the data is only moved away.
Status Removal::let_go(Stored& stored, Backend& backend) {
  TRY(const auto content, refuse_used(stored, backend));
  stored.volume.phase = Phase::kDeleting;
  stored.volume.deleted = volumes_.now();
  stored.volume.mounts.clear();
  TRY_STATUS(volumes_.records().let_go(stored));
  fault_point("volume.remove.intent");
  if (const auto moved = backend.remove_unflushed(stored.volume); !moved)
    log::warn("the data of a removed volume is left to reconcile",
              {{"volume", stored.volume.name.str()}, {"error", moved.error().text}});
  fault_point("volume.remove.trashed");
  reaper_.take_going(stored.volume);
  return {};
}

Status Removal::flush_move(const Volume& volume) {
  TRY(Backend* const backend, volumes_.backends().find(volume));
  return backend->remove(volume);
}

Result<TrashState> Removal::purge_going(const Volume& volume, const StopRequest& stop) {
  TRY(Backend* const backend, volumes_.backends().find(volume));
  TRY(const auto state, backend->purge(volume, stop));
  fault_point("volume.going.purged");
  if (state == TrashState::kEmptied) TRY_STATUS(volumes_.records().erase_going(volume.id));
  return state;
}

// The record goes last, and after a flush of the move: data in vol/ without a record is a volume
// that was lost, data in trash/ is only rubbish. All moves come before what is removed, so that one
// flush serves them all.
ReconcileReport Removal::finish_going(const std::vector<Volume>& volumes, const StopRequest& stop) {
  ReconcileReport report;
  const auto fails = [&](const Volume& volume, const Error& error) {
    report.failures.push_back(
        fmt::format("finish the removal of volume \"{}\": {}", volume.name.str(), error.text));
  };
  std::vector<const Volume*> moved;
  for (const Volume& volume : volumes) {
    if (const auto done = flush_move(volume); done)
      moved.push_back(&volume);
    else
      fails(volume, done.error());
  }
  fault_point("volume.going.flushed");
  for (const Volume* const volume : moved) {
    if (volume != moved.front() && stop && stop()) return report;
    const auto state = purge_going(*volume, stop);
    if (!state)
      fails(*volume, state.error());
    else if (*state == TrashState::kEmptied)
      report.actions.push_back(
          fmt::format("finished the removal of volume \"{}\"", volume->name.str()));
  }
  return report;
}

void Removal::finish_behind(const std::vector<Volume>& volumes, const StopRequest& stop) {
  for (const std::string& failure : finish_going(volumes, stop).failures)
    log::warn("the data of a removed volume is left to reconcile", {{"error", failure}});
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
    if (goes_behind(*stored, *backend)) {
      TRY_STATUS(let_go(*stored, *backend));
      return true;
    }
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
