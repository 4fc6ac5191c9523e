#include "volume/service/changes.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "base/options/values.h"

namespace fairlead::volume {

namespace {

void pass(ChangeKind kind, std::string_view step) {
  fault_point(fmt::format("volume.{}.{}", to_string(kind), step));
}

// Any other error means that the backend refused before it did anything.
bool may_be_half_done(const Error& error) {
  return error.code == Code::kIo || error.code == Code::kInternal;
}

void conclude(Volume& volume, const Change& change) {
  switch (change.kind) {
    case ChangeKind::kSnapshot:
      volume.snapshots.push_back(change.snapshot);
      break;
    case ChangeKind::kDropSnapshot:
      std::erase_if(volume.snapshots,
                    [&](const Snapshot& there) { return there.id == change.snapshot.id; });
      break;
    case ChangeKind::kRollback:
      volume.snapshots.push_back(change.kept);
      break;
    case ChangeKind::kResize:
      volume.options.size = change.size;
      break;
  }
  std::ranges::stable_sort(volume.snapshots, {}, &Snapshot::created);
}

}  // namespace

// A rollback brings back the content, not the limit of that time. Where the file system came back
// larger than the volume's size and cannot shrink, its size becomes the limit.
void Changes::keep_size(OpenVolume& opened, const Snapshot& snapshot) {
  Volume& volume = opened.stored.volume;
  const auto size = volume.options.size;
  if (!size || !snapshot.size || *size == *snapshot.size) return;
  const auto resized = opened.backend->resize(volume, *size);
  if (resized) return;
  volume.options.size = snapshot.size;
  log::warn("the size of a volume is that of the snapshot it went back to",
            {{"volume", volume.name.str()},
             {"size", format_size(*snapshot.size)},
             {"error", resized.error().text}});
}

// Whoever has it mounted, and does not use it now, goes on with its path, below which there would be
// nothing but an empty folder.
Status Changes::roll_back(OpenVolume& opened, const Change& change, const Progress& progress) {
  const Volume& volume = opened.stored.volume;
  const Status back = opened.backend->roll_back(volume, change.snapshot, change.kept, progress);
  if (back) keep_size(opened, change.snapshot);
  if (volume.mounts.empty()) return back;
  if (const auto mounted = opened.backend->mount(volume); !mounted)
    log::error("a volume that was rolled back is not mounted any more",
               {{"volume", volume.name.str()}, {"error", mounted.error().text}});
  return back;
}

Status Changes::act(OpenVolume& opened, const Change& change, const Progress& progress) {
  const Volume& volume = opened.stored.volume;
  switch (change.kind) {
    case ChangeKind::kSnapshot:
      return opened.backend->take_snapshot(volume, change.snapshot, progress);
    case ChangeKind::kDropSnapshot:
      return opened.backend->drop_snapshot(volume, change.snapshot.id);
    case ChangeKind::kRollback:
      return roll_back(opened, change, progress);
    case ChangeKind::kResize:
      return opened.backend->resize(volume, change.size);
  }
  return {};
}

// Called after a failure of the backend. What cannot be undone now is left to the next verb on the
// volume, or to reconcile.
void Changes::take_back(OpenVolume& opened, const Change& change, const Error& cause) {
  const auto run = [&]() -> Status {
    if (change.kind == ChangeKind::kSnapshot)
      TRY_STATUS(opened.backend->drop_snapshot(opened.stored.volume, change.snapshot.id));
    else if (may_be_half_done(cause))
      return {};
    opened.stored.volume.change.reset();
    return volumes_.records().put(opened.stored, state::Durability::kDurable);
  };
  if (const auto done = run(); !done)
    log::warn("a change that failed is left to reconcile",
              {{"volume", opened.stored.volume.name.str()},
               {"change", std::string(to_string(change.kind))},
               {"error", done.error().text}});
}

Status Changes::make(OpenVolume& opened, const Change& change, const Progress& progress) {
  opened.stored.volume.change = change;
  TRY_STATUS(volumes_.records().put(opened.stored, state::Durability::kDurable));
  pass(change.kind, "intent");
  if (auto acted = act(opened, change, progress); !acted) {
    take_back(opened, change, acted.error());
    return acted;
  }
  pass(change.kind, "acted");
  conclude(opened.stored.volume, change);
  opened.stored.volume.change.reset();
  TRY_STATUS(volumes_.records().put(opened.stored, state::Durability::kDurable));
  pass(change.kind, "done");
  volumes_.write_down(opened.stored.volume);
  return {};
}

// --- several volumes

Status Changes::commit_together(const std::vector<Step>& steps) {
  std::vector<Stored*> all;
  for (const Step& step : steps) all.push_back(&step.opened->stored);
  return volumes_.records().put_all(all);
}

Status Changes::take_together(const std::vector<Step>& steps, const std::function<Status()>& act) {
  for (const Step& step : steps) step.opened->stored.volume.change = step.change;
  TRY_STATUS(commit_together(steps));
  fault_point("volume.group.intent");
  if (auto acted = act(); !acted) {
    for (const Step& step : steps) take_back(*step.opened, step.change, acted.error());
    return acted;
  }
  fault_point("volume.group.acted");
  for (const Step& step : steps) {
    conclude(step.opened->stored.volume, step.change);
    step.opened->stored.volume.change.reset();
  }
  TRY_STATUS(commit_together(steps));
  fault_point("volume.group.done");
  return {};
}

// Those that were not reached have done nothing: their intents are dropped.
Status Changes::make_each(const std::vector<Step>& steps, const Progress& progress,
                          std::size_t& done) {
  done = 0;
  for (const Step& step : steps) step.opened->stored.volume.change = step.change;
  TRY_STATUS(commit_together(steps));
  fault_point("volume.group.intent");
  Status acted;
  for (const Step& step : steps) {
    acted = act(*step.opened, step.change, progress);
    if (!acted) break;
    fault_point("volume.group.one");
    ++done;
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Volume& volume = steps[i].opened->stored.volume;
    if (i < done) conclude(volume, steps[i].change);
    if (i == done && may_be_half_done(acted.error())) continue;
    volume.change.reset();
  }
  if (const auto kept = commit_together(steps); !kept) {
    done = 0;  // the intents are in the store: reconcile goes on with all of them
    return kept;
  }
  fault_point("volume.group.done");
  if (acted) return {};
  return fail(with_context(
      acted.error(), fmt::format("volume \"{}\"", steps[done].opened->stored.volume.name.str())));
}

// Makes the interrupted call again, which is possible because the backend's verbs are idempotent.
// If the backend refuses it now (the volume is mounted, the disk is full), the change is given up:
// it was never acknowledged.
Status Changes::settle(OpenVolume& opened) {
  Volume& volume = opened.stored.volume;
  if (!volume.change) return {};
  const Change change = *volume.change;
  if (change.kind == ChangeKind::kSnapshot) {
    TRY_STATUS(opened.backend->drop_snapshot(volume, change.snapshot.id));
  } else if (const auto acted = act(opened, change, {}); acted) {
    conclude(volume, change);
  } else if (may_be_half_done(acted.error())) {
    return fail(with_context(acted.error(), fmt::format("an earlier {} of it cannot be finished",
                                                        to_string(change.kind))));
  } else {
    log::warn("a change that did not finish is given up",
              {{"volume", volume.name.str()},
               {"change", std::string(to_string(change.kind))},
               {"error", acted.error().text}});
  }
  pass(change.kind, "settled");
  volume.change.reset();
  TRY_STATUS(volumes_.records().put(opened.stored, state::Durability::kDurable));
  volumes_.write_down(volume);
  return {};
}

// That nothing has to be made anew any more is durable before somebody writes: data that is missing
// later was lost, and is not replaced by an empty folder.
Result<bool> Changes::settle_data(OpenVolume& opened) {
  if (!opened.stored.unflushed) return false;
  TRY(const bool made, opened.backend->settle(opened.stored.volume));
  if (made)
    log::info("a power cut has taken a new volume from the disk: it was made again",
              {{"volume", opened.stored.volume.name.str()}});
  fault_point("volume.settle.flushed");
  opened.stored.unflushed = false;
  TRY_STATUS(volumes_.records().put(opened.stored, state::Durability::kDurable));
  return made;
}

Result<OpenVolume> Changes::open(const VolumeName& name) {
  TRY(auto opened, volumes_.open(name));
  TRY_STATUS(refuse_unread(opened.stored.volume.options));
  TRY_STATUS(status_of(settle_data(opened)));
  TRY_STATUS(settle(opened));
  return opened;
}

}  // namespace fairlead::volume
