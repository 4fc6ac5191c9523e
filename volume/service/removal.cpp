#include "base/fault.h"
#include "volume/service/service_impl.h"

namespace fairlead::volume {

Status Service::begin_removal(Stored& stored, Backend& backend) {
  TRY(const auto users, backend.users(stored.volume));
  if (!users.empty()) return fail(Code::kInUse, "it is in use: {}; stop what uses it first", users);
  TRY(const auto content, lock_content(stored.volume, kReconcileLockDeadline));
  fault_point("volume.remove.checked");
  stored.volume.phase = Phase::kDeleting;
  stored.volume.deleted = now_();
  stored.volume.mounts.clear();
  stored.former.clear();
  TRY_STATUS(records_.put(stored, state::Durability::kDurable));
  fault_point("volume.remove.intent");
  return {};
}

// Refuses nothing, because the intent is on the disk. An unfinished restore under another name ends
// here too; the volume gets its former name back in the trash.
Status Service::finish_removal(const Stored& stored, Backend& backend) {
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
  TRY_STATUS(records_.erase(volume, trashed));
  fault_point("volume.remove.erased");
  if (retain == 0) reaper_.take(backend, volume);
  return {};
}

Status Service::abandon(const Volume& volume) {
  TRY(Backend* const backend, backends_.find(volume));
  TRY_STATUS(backend->discard(volume));
  fault_point("volume.abandon.discarded");
  return records_.erase(volume);
}

Status Service::clear_leftovers(const Stored& stored) {
  if (stored.volume.phase == Phase::kCreating) return abandon(stored.volume);
  TRY(Backend* const backend, backends_.find(stored.volume));
  return finish_removal(stored, *backend);
}

Status Service::remove(const std::string& name) {
  const auto run = [&]() -> Status {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, lock(parsed));
    TRY(auto stored, records_.by_name(parsed));
    if (!stored) return no_such_volume(parsed);
    if (stored->volume.phase == Phase::kCreating) {
      TRY_STATUS(abandon(stored->volume));
      return no_such_volume(parsed);
    }
    TRY(Backend* const backend, backends_.find(stored->volume));
    if (stored->volume.phase == Phase::kReady) TRY_STATUS(begin_removal(*stored, *backend));
    return finish_removal(*stored, *backend);
  };
  return in_context(run(), "remove", name);
}

}  // namespace fairlead::volume
