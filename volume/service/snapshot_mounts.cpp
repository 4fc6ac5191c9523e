#include "volume/service/snapshot_mounts.h"

#include <algorithm>

#include "base/fault.h"
#include "volume/service/mount_hints.h"

namespace fairlead::volume {

namespace {

// Seconds. A runtime that was told the path a moment ago binds it now.
constexpr long long kOnItsWay = 10;

tl::unexpected<Error> no_such_snapshot(const Volume& volume, const std::string& name) {
  std::vector<std::string_view> names;
  for (const Snapshot& snapshot : volume.snapshots)
    if (snapshot.origin != SnapshotOrigin::kArchive) names.push_back(snapshot.name.str());
  const std::string closest =
      name.size() <= 128 ? closest_word(name, names.data(), names.size()) : "";
  return fail(Code::kNotFound, "volume \"{}\" has no snapshot \"{}\"{}", volume.name.str(),
              shown(name), closest.empty() ? "" : fmt::format("; did you mean \"{}\"?", closest));
}

// Those of exports and backups come and go by themselves.
Result<Snapshot*> find_in(Volume& volume, const std::string& name) {
  const auto found = std::ranges::find_if(volume.snapshots, [&](const Snapshot& one) {
    return one.name.str() == name && one.origin != SnapshotOrigin::kArchive;
  });
  if (found == volume.snapshots.end()) return no_such_snapshot(volume, name);
  return &*found;
}

SnapshotView view_of(const Volume& volume, const Snapshot& snapshot, std::string path) {
  return {.volume = volume.name,
          .snapshot = snapshot,
          .backend = volume.backend,
          .mountpoint = std::move(path),
          .users = {}};
}

std::string who_mounted(const MountHint& hint) {
  return hint.client == kViewClient ? "somebody who has a volume that shows it"
                                    : shown(hint.client);
}

std::string verb_on(std::string_view verb, const std::string& snapshot) {
  return fmt::format("{} snapshot \"{}\" of", verb, shown(snapshot));
}

}  // namespace

Status refuse_mounted_snapshots(Backend& backend, const Volume& volume) {
  if (volume.snapshots.empty()) return {};
  TRY(const auto users, backend.snapshot_users(volume, {}));
  if (users.empty()) return {};
  return fail(Code::kInUse, "a snapshot of it is in use: {}; stop what uses it first", users);
}

Result<SnapshotView> SnapshotMounts::mount(const std::string& name, const std::string& snapshot,
                                           const std::string& client, const std::string& id,
                                           Count how) {
  const auto run = [&]() -> Result<SnapshotView> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY_STATUS(check_hint(client, id));
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(auto opened, changes_.open(parsed));
    Stored& stored = opened.stored;
    TRY(Snapshot* const found, find_in(stored.volume, snapshot));
    const bool first = found->mounts.empty();
    auto path = opened.backend->mount_snapshot(stored.volume, found->id);
    if (!path) {
      if (first) (void)opened.backend->unmount_snapshot(stored.volume, found->id);
      return fail(path.error());
    }
    fault_point("volume.snapshot-mount.mounted");
    const bool known = is_counted(found->mounts, client, id);
    if (how == Count::kEach || !known) count_up(found->mounts, client, id);
    stored.counted = volumes_.now();
    const auto counted = volumes_.records().put(stored, state::Durability::kBoot);
    if (!counted && !may_go_uncounted(stored.volume, counted.error())) {
      if (first) (void)opened.backend->unmount_snapshot(stored.volume, found->id);
      return fail(counted.error());
    }
    fault_point("volume.snapshot-mount.counted");
    return view_of(stored.volume, *found, std::move(*path));
  };
  return in_context(run(), verb_on("mount", snapshot), name);
}

Status SnapshotMounts::unmount(const std::string& name, const std::string& snapshot,
                               const std::string& client, const std::string& id) {
  const auto run = [&]() -> Status {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(auto stored, volumes_.ready(parsed));
    if (!stored) return {};
    const auto found = find_in(stored->volume, snapshot);
    if (!found) return {};
    const bool counted = count_down((*found)->mounts, client, id);
    if ((*found)->mounts.empty()) {
      TRY(Backend* const backend, volumes_.backends().find(stored->volume));
      TRY_STATUS(backend->unmount_snapshot(stored->volume, (*found)->id));
    }
    fault_point("volume.snapshot-unmount.unmounted");
    if (!counted) return {};
    const auto done = volumes_.records().put(*stored, state::Durability::kBoot);
    if (!done && may_go_uncounted(stored->volume, done.error())) return {};
    return done;
  };
  return in_context(run(), verb_on("unmount", snapshot), name);
}

Result<SnapshotView> SnapshotMounts::inspect(const std::string& name, const std::string& snapshot) {
  const auto run = [&]() -> Result<SnapshotView> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(auto opened, volumes_.open(parsed));
    Volume& volume = opened.stored.volume;
    TRY(const Snapshot* const found, find_in(volume, snapshot));
    auto view = view_of(volume, *found, opened.backend->snapshot_path(volume, found->id));
    if (auto users = opened.backend->snapshot_users(volume, found->id))
      view.users = std::move(*users);
    else
      view.health = users.error().text;
    return view;
  };
  return in_context(run(), verb_on("inspect", snapshot), name);
}

Status SnapshotMounts::release(const OpenVolume& opened, const Snapshot& snapshot) {
  const Volume& volume = opened.stored.volume;
  TRY(const auto users, opened.backend->snapshot_users(volume, snapshot.id));
  if (!users.empty()) return fail(Code::kInUse, "it is in use: {}; stop what uses it first", users);
  const auto age = volumes_.now() - opened.stored.counted;
  if (!snapshot.mounts.empty() && age >= 0 && age < kOnItsWay)
    return fail(Code::kInUse, "it is in use: {} mounted it a moment ago; stop what uses it first",
                who_mounted(snapshot.mounts.front()));
  return opened.backend->unmount_snapshot(volume, snapshot.id);
}

Status SnapshotMounts::tidy(const Volume& seen) {
  TRY(Backend* const backend, volumes_.backends().find(seen));
  TRY(const auto some, backend->mounted_snapshots(seen));
  if (some.empty()) return {};
  TRY(const auto guard, volumes_.lock(seen.name, kReconcileLockDeadline));
  TRY(const auto stored, volumes_.records().by_id(seen.id));
  if (!stored || stored->volume.phase != Phase::kReady) return {};
  TRY(const auto mounted, backend->mounted_snapshots(stored->volume));
  for (const std::string& id : mounted) {
    const auto found = std::ranges::find(stored->volume.snapshots, id, &Snapshot::id);
    if (found != stored->volume.snapshots.end() && !found->mounts.empty()) continue;
    TRY(const auto users, backend->snapshot_users(stored->volume, id));
    if (users.empty()) TRY_STATUS(backend->unmount_snapshot(stored->volume, id));
  }
  return {};
}

}  // namespace fairlead::volume
