#include "volume/service/events.h"

#include <algorithm>
#include <set>

#include "base/host.h"
#include "volume/service/pools.h"
#include "volume/service/record.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kRecordPrefix = "volume/", kTrashPrefix = "volume-trash/",
                           kDiskPrefix = "volume-disk/", kGrowthPrefix = "volume-growth/",
                           kPoolPrefix = "volume-pool/";

// ---- volumes

fairlead::Change change_of(const Volume& volume, const char* action) {
  fairlead::Change change{
      .kind = "volume", .action = action, .id = volume.id, .name = volume.name.str()};
  if (!volume.backend.empty()) change.attributes["backend"] = volume.backend;
  if (!volume.pool.empty()) change.attributes["pool"] = volume.pool;
  if (volume.options.size) change.attributes["size"] = std::to_string(*volume.options.size);
  return change;
}

fairlead::Change change_of(const Volume& volume, const MountHint& user, const char* action) {
  fairlead::Change change = change_of(volume, action);
  change.attributes["client"] = user.client;
  change.attributes["user"] = user.id;
  return change;
}

fairlead::Change change_of(const Volume& volume, const Snapshot& snapshot, const char* action) {
  fairlead::Change change{.kind = "snapshot",
                          .action = action,
                          .id = snapshot.id,
                          .name = fmt::format("{}@{}", volume.name.str(), snapshot.name.str()),
                          .attributes = {{"volume", volume.name.str()},
                                         {"origin", std::string(to_string(snapshot.origin))}}};
  if (!snapshot.group.empty()) change.attributes["group"] = snapshot.group;
  return change;
}

void note_left_out(fairlead::Change& change, std::uint64_t count) {
  if (count > 0) change.attributes["left_out"] = std::to_string(count);
}

bool exists(const std::optional<Volume>& volume) {
  return volume && volume->phase == Phase::kReady;
}

void add_renames_and_properties(const Volume& before, const Volume& after,
                                std::vector<fairlead::Change>& changes) {
  if (before.name != after.name) {
    changes.push_back(change_of(after, "rename"));
    changes.back().attributes["former"] = before.name.str();
  }
  if (before.options.size != after.options.size) {
    changes.push_back(change_of(after, "resize"));
    if (before.change && before.change->automatic) changes.back().attributes["auto"] = "true";
  }
  if (before.labels != after.labels) changes.push_back(change_of(after, "label"));
  if (before.backed_up != after.backed_up) {
    changes.push_back(change_of(after, "backup"));
    note_left_out(changes.back(), after.backup_left_out);
  }
  if (before.backup.failures < after.backup.failures) {
    changes.push_back(change_of(after, "backup-failed"));
    changes.back().attributes["folder"] = after.options.backup.folder;
    changes.back().attributes["error"] = after.backup.error;
  }
  if (before.options != after.options && before.options.size == after.options.size)
    changes.push_back(change_of(after, "set"));
  if (before.change && before.change->kind == ChangeKind::kRollback && !after.change &&
      std::ranges::find(after.snapshots, before.change->kept.id, &Snapshot::id) !=
          after.snapshots.end()) {
    changes.push_back(change_of(after, "rollback"));
    changes.back().attributes["snapshot"] = before.change->snapshot.name.str();
    changes.back().attributes["kept"] = before.change->kept.name.str();
  }
}

// ---- mounts

unsigned count_of(const std::vector<MountHint>& mounts, const MountHint& user) {
  for (const MountHint& mount : mounts)
    if (mount.client == user.client && mount.id == user.id) return mount.count;
  return 0;
}

void add_mounts(const Volume& about, const std::vector<MountHint>& before,
                const std::vector<MountHint>& after, std::vector<fairlead::Change>& changes) {
  for (const MountHint& user : before)
    if (count_of(after, user) < user.count) changes.push_back(change_of(about, user, "unmount"));
  for (const MountHint& user : after)
    if (count_of(before, user) < user.count) changes.push_back(change_of(about, user, "mount"));
}

// ---- snapshots

void add_snapshots(const Volume& about, const std::vector<Snapshot>& some,
                   const std::vector<Snapshot>& others, const char* action,
                   std::vector<fairlead::Change>& changes) {
  for (const Snapshot& snapshot : some)
    if (snapshot.origin != SnapshotOrigin::kArchive &&
        std::ranges::find(others, snapshot.id, &Snapshot::id) == others.end())
      changes.push_back(change_of(about, snapshot, action));
}

// Of snapshots that are there before and after.
void add_snapshot_mounts(const Volume& about, const std::vector<Snapshot>& before,
                         const std::vector<Snapshot>& after,
                         std::vector<fairlead::Change>& changes) {
  const auto add = [&](const Snapshot& snapshot, const MountHint& user, const char* action) {
    changes.push_back(change_of(about, snapshot, action));
    changes.back().attributes["client"] = user.client;
    changes.back().attributes["user"] = user.id;
  };
  for (const Snapshot& now : after) {
    const auto then = std::ranges::find(before, now.id, &Snapshot::id);
    const std::vector<MountHint> none, &former = then == before.end() ? none : then->mounts;
    for (const MountHint& user : former)
      if (count_of(now.mounts, user) < user.count) add(now, user, "unmount");
    for (const MountHint& user : now.mounts)
      if (count_of(former, user) < user.count) add(now, user, "mount");
  }
}

// ---- records

// Mounts of another boot are no mounts.
std::optional<Volume> volume_in(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  auto parsed = parse_record(*text, boot_id());
  return parsed ? std::optional(std::move(parsed->entry.volume)) : std::nullopt;
}

std::optional<Volume> trashed_in(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  auto parsed = parse_trash_record(*text);
  return parsed ? std::optional(std::move(parsed->volume)) : std::nullopt;
}

std::optional<std::string> text_after(const state::Event& event) {
  if (event.kind != state::Event::Kind::kPut) return std::nullopt;
  return event.record.value;
}

// ---- disks, and growth that failed

std::vector<fairlead::Change> disk_changes(const state::Event& event, const std::string& name) {
  const auto text = text_after(event);
  const auto after = text ? parse_disk_record(*text) : Result<DiskState>(fail(Code::kNotFound, ""));
  if (!after) return {};
  const auto before = event.before ? parse_disk_record(*event.before)
                                   : Result<DiskState>(fail(Code::kNotFound, ""));
  if ((before ? before->level : DiskLevel::kOk) == after->level) return {};
  return {{.kind = "volume-disk",
           .action = fmt::format("disk-{}", to_string(after->level)),
           .id = name,
           .name = name,
           .attributes = {{"path", after->path}, {"percent", std::to_string(after->percent)}}}};
}

std::vector<fairlead::Change> growth_changes(const state::Event& event, const std::string& id) {
  const auto text = text_after(event);
  if (!text) return {};
  return {{.kind = "volume",
           .action = "grow-failed",
           .id = id,
           .name = {},
           .attributes = {{"error", growth_error_of(*text)}}}};
}

std::string last_part(const std::string& key) { return key.substr(key.rfind('/') + 1); }

// The ids of the records below `prefix` that the commit wrote or deleted.
std::set<std::string> ids_of(const std::vector<state::Event>& commit, std::string_view prefix,
                             state::Event::Kind kind) {
  std::set<std::string> ids;
  for (const state::Event& event : commit)
    if (event.kind == kind && event.record.key.starts_with(prefix))
      ids.insert(last_part(event.record.key));
  return ids;
}

std::vector<fairlead::Change> trash_changes(const state::Event& event, bool restored) {
  const auto before = trashed_in(event.before), after = trashed_in(text_after(event));
  if (!before && after) return {change_of(*after, "trash")};
  if (before && !after && !restored) return {change_of(*before, "purge")};
  return {};
}

}  // namespace

std::vector<fairlead::Change> changes_of(const std::optional<Volume>& before,
                                         const std::optional<Volume>& after, bool restored) {
  if (!exists(before) && !exists(after)) return {};
  std::vector<fairlead::Change> changes;
  if (!exists(before)) {
    changes.push_back(change_of(*after, restored ? "restore" : "create"));
    if (!restored) note_left_out(changes.back(), after->left_out.count);
    add_mounts(*after, {}, after->mounts, changes);
  } else if (!exists(after)) {
    add_mounts(*before, before->mounts, {}, changes);
    changes.push_back(change_of(*before, "remove"));
  } else {
    add_renames_and_properties(*before, *after, changes);
    add_snapshots(*after, before->snapshots, after->snapshots, "remove", changes);
    add_snapshots(*after, after->snapshots, before->snapshots, "create", changes);
    add_snapshot_mounts(*after, before->snapshots, after->snapshots, changes);
    add_mounts(*after, before->mounts, after->mounts, changes);
  }
  return changes;
}

std::vector<fairlead::Change> volume_changes(const std::vector<state::Event>& commit) {
  const auto written = ids_of(commit, kRecordPrefix, state::Event::Kind::kPut);
  const auto untrashed = ids_of(commit, kTrashPrefix, state::Event::Kind::kDelete);
  std::vector<fairlead::Change> all;
  for (const state::Event& event : commit) {
    const std::string id = last_part(event.record.key);
    std::vector<fairlead::Change> changes;
    if (event.record.key.starts_with(kRecordPrefix))
      changes =
          changes_of(volume_in(event.before), volume_in(text_after(event)), untrashed.contains(id));
    else if (event.record.key.starts_with(kTrashPrefix))
      changes = trash_changes(event, written.contains(id));
    else if (event.record.key.starts_with(kDiskPrefix))
      changes = disk_changes(event, id);
    else if (event.record.key.starts_with(kGrowthPrefix))
      changes = growth_changes(event, id);
    else if (event.record.key.starts_with(kPoolPrefix))
      changes = pool_changes(id, event.before, text_after(event));
    std::ranges::move(changes, std::back_inserter(all));
  }
  return all;
}

}  // namespace fairlead::volume
