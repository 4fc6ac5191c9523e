#include "volume/service/trash.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"

namespace fairlead::volume {

namespace {

tl::unexpected<Error> not_in_trash(const std::string& name_or_id) {
  return fail(Code::kNotFound, "\"{}\" is not in the trash", shown(name_or_id));
}

}  // namespace

Result<std::vector<TrashedVolume>> Trash::list() {
  TRY(auto listing, volumes_.records().all_trashed());
  for (const std::string& trouble : listing.unreadable)
    log::error("a removed volume is left out of the list", {{"error", trouble}});
  return std::move(listing.volumes);
}

// The removed volume of that name or id, or all when the text is empty.
Result<std::vector<TrashedVolume>> Trash::find(const std::string& name_or_id) {
  TRY(auto all, list());
  if (name_or_id.empty()) return all;
  const auto found = std::ranges::find_if(all, [&](const TrashedVolume& trashed) {
    return trashed.volume.id == name_or_id || trashed.volume.name.str() == name_or_id;
  });
  if (found == all.end()) return not_in_trash(name_or_id);
  return std::vector{*found};
}

// The intent is a record whose time is over: after a crash reconcile continues with it. The record
// is erased after the data.
Result<TrashState> Trash::purge(const TrashedVolume& trashed) {
  const Volume& volume = trashed.volume;
  TRY(const auto guard, volumes_.lock_trash(volume));
  TRY(const auto still, volumes_.records().trashed(volume.id));
  if (!still) return not_in_trash(volume.name.str());  // emptied or restored meanwhile
  TRY(Backend* const backend, volumes_.backends().find(volume));
  TrashedVolume over = *still;
  over.due = std::min(over.due, volumes_.now());
  if (over.due != still->due) TRY_STATUS(volumes_.records().put_trashed(over));
  fault_point("volume.empty.intent");
  TRY(const auto state, backend->purge(volume, {}));
  fault_point("volume.empty.purged");
  if (state == TrashState::kEmptied)
    TRY_STATUS(volumes_.records().erase_trashed(volume.id));
  else if (over.due != still->due)
    TRY_STATUS(
        volumes_.records().put_trashed(*still));  // somebody has it mounted, so it keeps its time
  return state;
}

Result<std::size_t> Trash::empty(const std::string& name_or_id) {
  const auto run = [&]() -> Result<std::size_t> {
    TRY(const auto found, find(name_or_id));
    std::size_t emptied = 0;
    std::optional<Error> trouble;
    for (const TrashedVolume& trashed : found) {
      const auto state = purge(trashed);
      if (state && *state == TrashState::kEmptied) ++emptied;
      const bool overtaken = !state && state.error().code == Code::kNotFound && name_or_id.empty();
      if (!state && !overtaken && !trouble)
        trouble = with_context(state.error(), trashed.volume.name.str());
    }
    if (trouble) return fail(*trouble);
    if (!name_or_id.empty() && emptied == 0)
      return fail(Code::kInUse, "somebody still has \"{}\" mounted", shown(name_or_id));
    return emptied;
  };
  auto done = run();
  if (!done) return fail(with_context(done.error(), "empty the trash"));
  return done;
}

// The intent is a volume in phase kDeleting under its new name: after a crash it is put back into
// the trash.
Result<Volume> Trash::bring_back(const TrashedVolume& trashed, const VolumeName& name) {
  Volume volume = trashed.volume;
  volume.name = name;
  volume.phase = Phase::kDeleting;
  TRY(Backend* const backend, volumes_.backends().find(volume));
  TRY(auto stored, volumes_.records().take_from_trash(volume, trashed.volume.name));
  fault_point("volume.restore.intent");
  if (const auto restored = backend->restore(volume); !restored) {
    const bool gone = restored.error().code == Code::kNotFound;
    const auto back = gone ? volumes_.records().erase(volume) : removal_.finish(stored, *backend);
    if (!back)
      log::warn("a restore that failed is left to reconcile",
                {{"volume", name.str()}, {"error", back.error().text}});
    return fail(restored.error());
  }
  fault_point("volume.restore.restored");
  stored.volume.phase = Phase::kReady;
  stored.volume.deleted = 0;
  stored.former.clear();
  TRY_STATUS(volumes_.records().put(stored, state::Durability::kDurable));
  fault_point("volume.restore.done");
  volumes_.write_down(stored.volume);
  return volumes_.with_path(std::move(stored.volume));
}

Result<Volume> Trash::restore(const std::string& name_or_id, const std::string& as) {
  const auto run = [&]() -> Result<Volume> {
    if (name_or_id.empty()) return fail(Code::kInvalid, "which one? give its name or its id");
    TRY(const auto found, find(name_or_id));
    const Volume& wanted = found.front().volume;
    TRY(const auto name, as.empty() ? Result<VolumeName>(wanted.name) : VolumeName::parse(as));
    TRY(const auto guard, volumes_.lock(name));
    TRY(const auto trash_guard, volumes_.lock_trash(wanted));
    TRY(const auto trashed, volumes_.records().trashed(wanted.id));
    if (!trashed || trashed->due <= volumes_.now()) return not_in_trash(name_or_id);
    TRY(const auto taken, volumes_.records().by_name(name));
    if (taken && taken->volume.phase == Phase::kReady)
      return fail(Code::kExists,
                  "volume \"{}\" exists already; restore it under another name (--as)", name.str());
    if (taken) TRY_STATUS(removal_.clear_leftovers(*taken));
    return bring_back(*trashed, name);
  };
  return in_context(run(), "restore", name_or_id);
}

}  // namespace fairlead::volume
