#include "volume/service/groups.h"

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "base/log.h"
#include "volume/service/hooks.h"
#include "volume/service/moment.h"

namespace fairlead::volume {

namespace {

constexpr int kMostAttempts = 5;  // to find the same members before and after locking

using TakenSnapshots = std::vector<VolumeSnapshot>;

template <class T>
Result<T> in_group(Result<T> result, std::string_view verb, const std::string& group) {
  if (result) return result;
  return fail(with_context(result.error(), fmt::format("{} group \"{}\"", verb, shown(group))));
}

// ---- who is meant

struct Known {
  std::set<VolumeName> volumes;
  std::map<std::string, std::set<VolumeName>> labels;  // by the value of the label "group"
};

Known known_of(const Records::Listing& listing) {
  Known known;
  for (const Stored& stored : listing.volumes) {
    const Volume& volume = stored.volume;
    if (volume.phase != Phase::kReady) continue;
    known.volumes.insert(volume.name);
    const auto label = volume.labels.find(kGroupLabel);
    if (label != volume.labels.end()) known.labels[label->second].insert(volume.name);
  }
  return known;
}

tl::unexpected<Error> nobody(const Known& known, const std::string& word) {
  std::vector<std::string_view> words;
  for (const VolumeName& name : known.volumes) words.push_back(name.str());
  for (const auto& [label, volumes] : known.labels) words.push_back(label);
  const std::string close =
      word.size() <= 64 ? closest_word(word, words.data(), words.size()) : std::string();
  return fail(Code::kNotFound, "\"{}\" is neither a volume nor the label \"{}\" of one{}",
              shown(word), kGroupLabel,
              close.empty() ? "" : fmt::format("; did you mean \"{}\"?", close));
}

Result<std::set<VolumeName>> with_label(const Known& known, const std::string& label) {
  const auto found = known.labels.find(label);
  if (found != known.labels.end()) return found->second;
  return fail(Code::kNotFound, "no volume has the label {}={} (fairlead volume label NAME {}={})",
              kGroupLabel, shown(label), kGroupLabel, shown(label));
}

Result<std::set<VolumeName>> with_name(const Known& known, const std::string& text) {
  TRY(auto name, VolumeName::parse(text));
  if (!known.volumes.contains(name)) return no_such_volume(name);
  return std::set<VolumeName>{std::move(name)};
}

Result<std::set<VolumeName>> named_by(const Known& known, const std::string& word) {
  constexpr std::string_view kLabel = "label:", kVolume = "volume:";
  if (word.starts_with(kLabel)) return with_label(known, word.substr(kLabel.size()));
  if (word.starts_with(kVolume)) return with_name(known, word.substr(kVolume.size()));
  const auto name = VolumeName::parse(word);
  const bool is_volume = name && known.volumes.contains(*name);
  const bool is_label = known.labels.contains(word);
  if (is_volume && is_label)
    return fail(Code::kConflict,
                "\"{}\" is a volume and the label of a group as well: say volume:{} or label:{}",
                word, word, word);
  if (is_volume) return with_name(known, word);
  if (is_label) return with_label(known, word);
  return nobody(known, word);
}

std::vector<std::string> words_of(const std::string& group) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= group.size();) {
    const auto comma = std::min(group.find(',', at), group.size());
    words.push_back(group.substr(at, comma - at));
    at = comma + 1;
  }
  return words;
}

Result<std::vector<VolumeName>> resolve(const Known& known, const std::string& group) {
  std::set<VolumeName> all;
  for (const std::string& word : words_of(group)) {
    if (word.empty())
      return fail(Code::kInvalid,
                  "which volumes? say their names with commas, or the label of a group");
    TRY(const auto some, named_by(known, word));
    all.insert(some.begin(), some.end());
  }
  if (all.size() > kMostInGroup)
    return fail(Code::kExhausted, "it has {} volumes; {} at most are taken at one moment",
                all.size(), kMostInGroup);
  return std::vector<VolumeName>(all.begin(), all.end());
}

// ---- snapshots of one group

// The wanted name, or one of the time that no volume has.
Result<SnapshotName> name_for(const std::vector<OpenVolume>& volumes, const std::string& wanted,
                              bool given) {
  std::string name = wanted;
  const auto taken_by = [&] {
    return std::ranges::find_if(volumes, [&](const OpenVolume& one) {
      return find_snapshot(one.stored.volume, name) != nullptr;
    });
  };
  for (int next = 2; taken_by() != volumes.end(); ++next) {
    if (given)
      return fail(Code::kExists, "volume \"{}\" has a snapshot \"{}\" already; choose another name",
                  taken_by()->stored.volume.name.str(), name);
    name = fmt::format("{}-{}", wanted, next);
  }
  return SnapshotName::parse(name);
}

std::vector<VolumeSnapshot> snapshots_in(const std::vector<Changes::Step>& steps,
                                         Snapshot Change::*which) {
  std::vector<VolumeSnapshot> all;
  for (const Changes::Step& step : steps)
    all.push_back({step.opened->stored.volume.name, step.change.*which});
  return all;
}

enum class Lacking { kIsLeftOut, kIsAnError };

Status check_of_one_moment(const std::vector<Changes::Step>& steps) {
  const auto shown_name = [](const Changes::Step& step) {
    return fmt::format("{}@{}", step.opened->stored.volume.name.str(),
                       step.change.snapshot.name.str());
  };
  const std::string& group = steps.front().change.snapshot.group;
  for (const Changes::Step& step : steps) {
    const std::string& other = step.change.snapshot.group;
    if (other.empty())
      return fail(Code::kConflict, "{} is of no group; name the volumes one by one",
                  shown_name(step));
    if (other != group)
      return fail(Code::kConflict, "{} and {} are not of one moment; name the volumes one by one",
                  shown_name(steps.front()), shown_name(step));
  }
  return {};
}

// A step for each volume that has the snapshot; they are of one moment.
Result<std::vector<Changes::Step>> steps_to(std::vector<OpenVolume>& volumes,
                                            const std::string& name, ChangeKind kind,
                                            Lacking lacking) {
  std::vector<Changes::Step> steps;
  for (OpenVolume& one : volumes) {
    const Snapshot* const found = find_snapshot(one.stored.volume, name);
    if (found == nullptr && lacking == Lacking::kIsLeftOut) continue;
    if (found == nullptr)
      return fail(Code::kNotFound, "volume \"{}\" has no snapshot \"{}\"",
                  one.stored.volume.name.str(), shown(name));
    const Change change{.kind = kind, .snapshot = *found, .kept = {}, .size = 0};
    steps.push_back({&one, change});
  }
  if (steps.empty())
    return fail(Code::kNotFound, "none of its volumes has a snapshot \"{}\"", shown(name));
  if (volumes.size() > 1) TRY_STATUS(check_of_one_moment(steps));
  return steps;
}

}  // namespace

Result<std::vector<VolumeName>> Groups::members(const std::string& group) {
  TRY(const auto listing, volumes_.records().all());
  return resolve(known_of(listing), group);
}

// A label may be given or taken, a volume removed, while we wait for the locks.
Result<Groups::Locked> Groups::lock(const std::string& group) {
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(const auto names, members(group));
    Locked locked;
    TRY(locked.guards, volumes_.lock_all(names));
    TRY(const auto again, members(group));
    if (again != names) continue;
    for (const VolumeName& name : names) {
      TRY(auto opened, changes_.open(name));
      locked.volumes.push_back(std::move(opened));
    }
    return locked;
  }
  return fail(Code::kUnavailable, "its volumes change again and again; try again");
}

// ---- take

Result<std::vector<VolumeSnapshot>> Groups::take_now(const Request& request,
                                                     const Progress& progress) {
  TRY(auto locked, lock(request.group));
  const bool given = request.origin == SnapshotOrigin::kUser && !request.snapshot.empty();
  const std::string wanted =
      request.snapshot.empty() ? name_of_time(volumes_.now()) : request.snapshot;
  TRY(const auto name, name_for(locked.volumes, wanted, given));
  const std::string id = random_hex(32);
  std::vector<Changes::Step> steps;
  for (OpenVolume& one : locked.volumes) {
    const Volume& volume = one.stored.volume;
    if (const auto room = refuse_one_too_many(volume); !room)
      return fail(with_context(room.error(), fmt::format("volume \"{}\"", volume.name.str())));
    Snapshot made = snapshot_of(volume, name, request.origin, volumes_.now());
    made.group = id;
    steps.push_back(
        {&one, {.kind = ChangeKind::kSnapshot, .snapshot = made, .kept = {}, .size = 0}});
  }
  JobRun job(volumes_.jobs(),
             {.verb = "snapshot of group",
              .volume = shown(request.group),
              .arguments = {{"snapshot", name.str()}}},
             progress, JobSeen::kWhenLong);
  std::vector<MomentVolume> moment;
  for (const Changes::Step& step : steps)
    moment.push_back({step.opened->backend, &step.opened->stored.volume, &step.change.snapshot});
  TRY_STATUS(
      job.end(changes_.take_together(steps, [&] { return take_moment(moment, job.progress()); })));
  return snapshots_in(steps, &Change::snapshot);
}

Result<std::vector<VolumeSnapshot>> Groups::take_for(const Request& request,
                                                     const Progress& progress) {
  const auto run = [&]() -> Result<TakenSnapshots> {
    if (!request.snapshot.empty()) TRY_STATUS(status_of(SnapshotName::parse(request.snapshot)));
    TRY(const auto names, members(request.group));
    const std::string name =
        request.snapshot.empty() ? name_of_time(volumes_.now()) : request.snapshot;
    TRY(auto hooks, HooksAround::begin(volumes_, names, request.verb, name, progress));
    auto taken = take_now(request, progress);
    hooks.end(taken.has_value());
    return taken;
  };
  return in_group(run(), "snapshot", request.group);
}

Result<std::vector<VolumeSnapshot>> Groups::take(const std::string& group,
                                                 const std::string& snapshot,
                                                 const Progress& progress) {
  return take_for({.group = group, .snapshot = snapshot, .verb = "snapshot"}, progress);
}

// ---- drop

Result<std::vector<VolumeSnapshot>> Groups::drop_now(const std::string& group,
                                                     const std::string& snapshot) {
  TRY(auto locked, lock(group));
  TRY(const auto steps,
      steps_to(locked.volumes, snapshot, ChangeKind::kDropSnapshot, Lacking::kIsLeftOut));
  std::vector<NamedLocks::Guard> contents;
  for (const Changes::Step& step : steps) {
    TRY(auto content, volumes_.lock_content(step.opened->stored.volume, kReconcileLockDeadline));
    contents.push_back(std::move(content));
  }
  std::size_t done = 0;
  TRY_STATUS(changes_.make_each(steps, {}, done));
  return snapshots_in(steps, &Change::snapshot);
}

Result<std::vector<VolumeSnapshot>> Groups::drop(const std::string& group,
                                                 const std::string& snapshot) {
  return in_group(drop_now(group, snapshot),
                  fmt::format("remove snapshot \"{}\" of", shown(snapshot)), group);
}

// ---- rollback

// Back to what the rollback had replaced; nothing but that content is kept.
void Groups::take_forth(const std::vector<Changes::Step>& back) {
  for (const Changes::Step& step : back) {
    OpenVolume& opened = *step.opened;
    const Snapshot& before = step.change.kept;
    const auto run = [&]() -> Status {
      TRY(const auto name, free_snapshot_name(opened.stored.volume, "undone-" + before.id));
      const Snapshot undone =
          snapshot_of(opened.stored.volume, name, SnapshotOrigin::kRollback, volumes_.now());
      TRY_STATUS(changes_.make(
          opened, {.kind = ChangeKind::kRollback, .snapshot = before, .kept = undone, .size = 0},
          {}));
      for (const Snapshot& gone : {undone, before})
        TRY_STATUS(changes_.make(
            opened, {.kind = ChangeKind::kDropSnapshot, .snapshot = gone, .kept = {}, .size = 0},
            {}));
      return {};
    };
    if (const auto done = run(); !done)
      log::error("a volume of a group stays rolled back although another one failed",
                 {{"volume", opened.stored.volume.name.str()},
                  {"before", before.name.str()},
                  {"error", done.error().text}});
  }
}

Result<std::vector<VolumeSnapshot>> Groups::roll_back_now(const std::string& group,
                                                          const std::string& snapshot,
                                                          const Progress& progress) {
  TRY(auto locked, lock(group));
  TRY(auto steps, steps_to(locked.volumes, snapshot, ChangeKind::kRollback, Lacking::kIsAnError));
  for (const Changes::Step& step : steps) {
    const Volume& volume = step.opened->stored.volume;
    TRY(const auto users, step.opened->backend->users(volume));
    if (!users.empty())
      return fail(Code::kInUse, "volume \"{}\" is in use: {}; stop what uses it first",
                  volume.name.str(), users);
  }
  std::vector<NamedLocks::Guard> contents;
  for (Changes::Step& step : steps) {
    const Volume& volume = step.opened->stored.volume;
    TRY(auto content, volumes_.lock_content(volume, kReconcileLockDeadline));
    contents.push_back(std::move(content));
    TRY(const auto kept,
        free_snapshot_name(volume, name_of_replaced(step.change.snapshot, volumes_.now())));
    step.change.kept = snapshot_of(volume, kept, SnapshotOrigin::kRollback, volumes_.now());
  }
  JobRun job(
      volumes_.jobs(),
      {.verb = "rollback of group", .volume = shown(group), .arguments = {{"snapshot", snapshot}}},
      progress, JobSeen::kWhenLong);
  std::size_t done = 0;
  if (const auto made = job.end(changes_.make_each(steps, job.progress(), done)); !made) {
    steps.resize(done);
    take_forth(steps);
    return fail(made.error());
  }
  return snapshots_in(steps, &Change::kept);
}

Result<std::vector<VolumeSnapshot>> Groups::roll_back(const std::string& group,
                                                      const std::string& snapshot,
                                                      const Progress& progress) {
  return in_group(roll_back_now(group, snapshot, progress),
                  fmt::format("roll back to snapshot \"{}\" of", shown(snapshot)), group);
}

// ---- made alone

namespace {

class OwnGroups : public VolumeGroups {
 public:
  OwnGroups(state::Store& store, NamedLocks& locks, BackendRegistry& backends,
            Environment environment)
      : volumes_(store, locks, backends, std::move(environment)) {}

  Result<std::vector<VolumeName>> members(const std::string& group) override {
    return groups_.members(group);
  }
  Result<std::vector<VolumeSnapshot>> take(const std::string& group, const std::string& snapshot,
                                           const Progress& progress) override {
    return groups_.take(group, snapshot, progress);
  }
  Result<std::vector<VolumeSnapshot>> drop(const std::string& group,
                                           const std::string& snapshot) override {
    return groups_.drop(group, snapshot);
  }
  Result<std::vector<VolumeSnapshot>> roll_back(const std::string& group,
                                                const std::string& snapshot,
                                                const Progress& progress) override {
    return groups_.roll_back(group, snapshot, progress);
  }

 private:
  LockedVolumes volumes_;
  Changes changes_{volumes_};
  Groups groups_{volumes_, changes_};
};

}  // namespace

std::unique_ptr<VolumeGroups> make_volume_groups(state::Store& store, NamedLocks& locks,
                                                 BackendRegistry& backends,
                                                 Environment environment) {
  return std::make_unique<OwnGroups>(store, locks, backends, std::move(environment));
}

}  // namespace fairlead::volume
