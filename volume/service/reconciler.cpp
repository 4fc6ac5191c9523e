#include "volume/service/reconciler.h"

#include <algorithm>

#include "base/fault.h"
#include "volume/service/archive_snapshots.h"

namespace fairlead::volume {

namespace {

void add(ReconcileReport& all, const ReconcileReport& some) {
  all.actions.insert(all.actions.end(), some.actions.begin(), some.actions.end());
  all.failures.insert(all.failures.end(), some.failures.begin(), some.failures.end());
}

}  // namespace

Status Reconciler::heal_change(Stored& stored, ReconcileReport& report) {
  const Change change = *stored.volume.change;
  TRY(Backend* const backend, volumes_.backends().find(stored.volume));
  OpenVolume opened{std::move(stored), backend};
  TRY_STATUS(verbs_.changes.settle(opened));
  report.actions.push_back(
      fmt::format("{} of volume \"{}\"",
                  change.kind == ChangeKind::kSnapshot
                      ? std::string("undid an unfinished snapshot")
                      : fmt::format("settled an unfinished {}", to_string(change.kind)),
                  opened.stored.volume.name.str()));
  return {};
}

Status Reconciler::heal_data(Stored& stored, ReconcileReport& report) {
  TRY(Backend* const backend, volumes_.backends().find(stored.volume));
  OpenVolume opened{stored, backend};
  TRY(const bool made, verbs_.changes.settle_data(opened));
  stored = std::move(opened.stored);
  if (made)
    report.actions.push_back(fmt::format(
        "made the empty volume \"{}\" again, which a power cut or a kill had taken from the disk",
        stored.volume.name.str()));
  return {};
}

// Heals one volume under its lock. The record is read again, because what was seen without the lock
// may have changed.
Status Reconciler::heal(const Volume& seen, ReconcileReport& report) {
  TRY(const auto guard, volumes_.lock(seen.name, kReconcileLockDeadline));
  TRY(auto stored, volumes_.records().by_id(seen.id));
  if (!stored || stored->volume.name != seen.name) return {};
  if (stored->volume.phase == Phase::kCreating) {
    TRY_STATUS(verbs_.removal.abandon(stored->volume));
    report.actions.push_back(
        fmt::format("dropped volume \"{}\", whose creation did not finish", seen.name.str()));
  } else if (stored->volume.phase == Phase::kDeleting) {
    TRY_STATUS(verbs_.removal.clear_leftovers(*stored));
    report.actions.push_back(fmt::format("finished the removal of volume \"{}\"", seen.name.str()));
  } else {
    if (stored->void_mounts) {
      TRY_STATUS(volumes_.records().put(*stored, state::Durability::kBoot));
      report.actions.push_back(fmt::format(
          "dropped the mount counts of volume \"{}\" from before the reboot", seen.name.str()));
    }
    if (stored->unflushed) TRY_STATUS(heal_data(*stored, report));
    if (stored->volume.change) TRY_STATUS(heal_change(*stored, report));
  }
  return {};
}

// Unmounts a volume that no runtime has counted and nobody uses. Containers have mounts of their
// own, which would outlive this.
Status Reconciler::unmount_if_idle(const Volume& seen) {
  TRY(const auto guard, volumes_.lock(seen.name, kReconcileLockDeadline));
  TRY(const auto stored, volumes_.records().by_id(seen.id));
  if (!stored || stored->volume.phase != Phase::kReady || !stored->volume.mounts.empty()) return {};
  TRY(Backend* const backend, volumes_.backends().find(stored->volume));
  return backend->unmount(stored->volume);
}

// Drops snapshots that a killed export or backup left. One that is alive holds the lock.
Status Reconciler::drop_leftovers_of_archives(const Volume& seen, ReconcileReport& report) {
  const auto is_left = [](const Snapshot& one) { return one.origin == SnapshotOrigin::kArchive; };
  if (std::ranges::none_of(seen.snapshots, is_left)) return {};
  TRY(const auto turn, volumes_.lock_for_archive(seen));
  TRY(const auto stored, volumes_.records().by_id(seen.id));
  if (!stored || stored->volume.phase != Phase::kReady) return {};
  const auto dropped = drop_archive_leftovers(
      stored->volume, [this](const std::string& volume, const std::string& snapshot) {
        return verbs_.snapshots.drop(volume, snapshot);
      });
  if (!dropped && (dropped.error().code == Code::kInUse || dropped.error().code == Code::kNotFound))
    return {};  // another of the snapshots is being read, or the volume was renamed
  TRY_STATUS(dropped);
  for (const std::string& snapshot : *dropped)
    report.actions.push_back(
        fmt::format("dropped snapshot \"{}\" of volume \"{}\", left by an "
                    "export or backup that did not finish",
                    snapshot, stored->volume.name.str()));
  return {};
}

Result<bool> Reconciler::mend(const Volume& seen) {
  TRY(const auto guard, volumes_.lock(seen.name, kReconcileLockDeadline));
  TRY(const auto stored, volumes_.records().by_id(seen.id));
  if (!stored || stored->volume.phase != Phase::kReady || stored->volume.change) return false;
  TRY(Backend* const backend, volumes_.backends().find(stored->volume));
  return backend->mend(stored->volume);
}

void Reconciler::look_after(const Volume& volume, ReconcileReport& report) {
  const auto fails = [&](const std::string& text) {
    report.failures.push_back(fmt::format("volume \"{}\": {}", volume.name.str(), text));
  };
  auto state = verbs_.inspection.status(volume);
  if (!state) return;  // status() never fails
  if (state->health != "ok") {
    const auto mended = mend(volume);
    if (!mended && mended.error().code != Code::kUnavailable) fails(mended.error().text);
    if (mended && *mended) {
      report.actions.push_back(
          fmt::format("mended volume \"{}\": {}", volume.name.str(), state->health));
      state = verbs_.inspection.status(volume);
      if (!state) return;
    }
  }
  if (state->health != "ok") return fails(state->health);
  if (!volume.mounts.empty() || state->in_use != false) return;
  if (const auto rests = unmount_if_idle(volume);
      !rests && rests.error().code != Code::kUnavailable)
    fails(rests.error().text);
}

void Reconciler::heal_all(ReconcileReport& report, const Records::Listing& listing) {
  for (const Stored& stored : listing.volumes) {
    const bool at_rest = stored.volume.phase == Phase::kReady && !stored.void_mounts &&
                         !stored.unflushed && !stored.volume.change;
    auto healed = at_rest ? Status() : heal(stored.volume, report);
    if (healed) healed = drop_leftovers_of_archives(stored.volume, report);
    if (healed && stored.volume.phase == Phase::kReady)
      healed = verbs_.snapshot_mounts.tidy(stored.volume);
    // kUnavailable: somebody is working on it
    if (!healed && healed.error().code != Code::kUnavailable)
      report.failures.push_back(
          fmt::format("volume \"{}\": {}", stored.volume.name.str(), healed.error().text));
    if (healed && stored.volume.phase == Phase::kReady) look_after(stored.volume, report);
    // what a crash, a full disk or an older version left out
    if (at_rest) volumes_.write_down(stored.volume);
    fault_point("volume.reconcile.volume");
  }
}

void Reconciler::empty_due_trash(ReconcileReport& report) {
  const auto listing = volumes_.records().all_trashed();
  if (!listing) return report.failures.push_back(listing.error().text);
  report.failures.insert(report.failures.end(), listing->unreadable.begin(),
                         listing->unreadable.end());
  for (const TrashedVolume& trashed : listing->volumes) {
    if (trashed.due > volumes_.now()) continue;
    const auto state = verbs_.trash.purge(trashed);
    // somebody else emptied or restored it
    if (!state && state.error().code == Code::kNotFound) continue;
    if (!state)
      report.failures.push_back(fmt::format("empty the trash of volume \"{}\": {}",
                                            trashed.volume.name.str(), state.error().text));
    else if (*state == TrashState::kEmptied)
      report.actions.push_back(fmt::format("emptied the trash of volume {}", trashed.volume.id));
  }
}

void Reconciler::finish_removals(ReconcileReport& report) {
  const auto going = volumes_.records().all_going();
  if (!going) return report.failures.push_back(going.error().text);
  report.failures.insert(report.failures.end(), going->unreadable.begin(), going->unreadable.end());
  if (!going->volumes.empty()) add(report, verbs_.removal.finish_going(going->volumes, {}));
}

void Reconciler::look_for_lost(ReconcileReport& report) {
  const auto found = verbs_.lost.look();
  if (!found)
    return report.failures.push_back(
        fmt::format("look for data without a record: {}", found.error().text));
  if (std::string text = verbs_.lost.text(); !text.empty())
    report.failures.push_back(std::move(text));
  for (const FoundVolume& one : *found)
    if (one.lost)
      report.failures.push_back(
          fmt::format("{} belongs to no volume that Fairlead knows; it was left alone: {}",
                      one.path, one.doubt));
}

Result<ReconcileReport> Reconciler::reconcile() {
  ReconcileReport report;
  TRY(const auto listing, volumes_.records().all());
  report.failures = listing.unreadable;
  heal_all(report, listing);
  empty_due_trash(report);
  finish_removals(report);
  const auto is_known = [this](const std::string& id) -> Result<bool> {
    TRY(const auto stored, volumes_.records().by_id(id));
    return stored.has_value();
  };
  for (Backend* const backend : volumes_.backends().all()) {
    const auto swept = backend->sweep(volumes_.now(), is_known, {});
    add(report, swept);
  }
  look_for_lost(report);
  (void)volumes_.jobs().all();  // deletes old jobs
  return report;
}

}  // namespace fairlead::volume
