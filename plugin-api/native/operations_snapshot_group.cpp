// Verbs for the snapshots that several volumes have of one moment. A group is known by the id that
// its snapshots share; volumes and labels are named only to make one.
#include <fmt/ranges.h>

#include <algorithm>

#include "plugin-api/native/operations.h"
#include "plugin-api/native/request_deadline.h"

namespace fairlead::native {

namespace {

using volume::VolumeSnapshot;

using ById = std::map<std::string, SnapshotGroup>;

Result<ById> groups_by_id(const Core& core) {
  TRY(const auto volumes, core.volumes.list());
  ById found;
  for (const volume::Volume& one : volumes)
    for (const volume::Snapshot& snapshot : one.snapshots) {
      if (snapshot.group.empty()) continue;
      SnapshotGroup& group = found[snapshot.group];
      group.id = snapshot.group;
      group.name = snapshot.name;
      group.snapshots.push_back({one.name, snapshot});
    }
  return found;
}

Result<SnapshotGroup> find_group(const Core& core, const std::string& id) {
  TRY(auto groups, groups_by_id(core));
  const auto found = groups.find(id);
  if (found == groups.end())
    return fail(Code::kNotFound, "no volume has a snapshot of group \"{}\"", id);
  return std::move(found->second);
}

// As VolumeGroups takes it.
std::string words_of(const SnapshotGroup& group) {
  std::vector<std::string> words;
  for (const VolumeSnapshot& one : group.snapshots) words.push_back("volume:" + one.volume.str());
  return fmt::format("{}", fmt::join(words, ","));
}

SnapshotGroup group_of(std::vector<VolumeSnapshot> taken) {
  const volume::Snapshot& first = taken.front().snapshot;
  SnapshotGroup group{.id = first.group, .name = first.name, .snapshots = {}};
  group.snapshots = std::move(taken);
  return group;
}

// The one that the call made before: all of these volumes have it, of one moment.
Result<std::optional<SnapshotGroup>> made_before(const Core& core,
                                                 const SnapshotGroupRequest& request) {
  if (request.name.empty()) return std::nullopt;
  TRY(const auto members, core.groups.members(request.volumes));
  std::vector<VolumeSnapshot> there;
  for (const VolumeName& name : members) {
    TRY(const auto one, core.volumes.inspect(name.str()));
    const auto found = std::ranges::find(one.snapshots, request.name, &volume::Snapshot::name);
    if (found != one.snapshots.end()) there.push_back({name, *found});
  }
  const auto is_another = [&](const VolumeSnapshot& one) {
    return one.snapshot.group != there.front().snapshot.group ||
           (members.size() > 1 && one.snapshot.group.empty());
  };
  if (there.empty() || there.size() < members.size() || std::ranges::any_of(there, is_another))
    return std::nullopt;
  return group_of(std::move(there));
}

}  // namespace

Result<Answer> list_snapshot_groups(const Core& core, const Call&) {
  TRY(const auto groups, groups_by_id(core));
  Document list = Document::array();
  for (const auto& [id, group] : groups) list.push_back(encode_snapshot_group(group));
  return Answer{kOk, {{"groups", std::move(list)}}};
}

// Idempotent by name, as every POST.
Result<Answer> create_snapshot_group(const Core& core, const Call& call) {
  TRY(const auto request, decode_snapshot_group(call.body));
  TRY(const auto before, made_before(core, request));
  if (before) return Answer{kOk, encode_snapshot_group(*before)};
  RequestDeadline deadline(core.request_deadline);
  auto taken = core.groups.take(request.volumes, request.name.str(), deadline.progress());
  if (!taken)
    return fail(
        deadline.explain(taken.error(), fmt::format("fairlead snapshot create --group {} {}",
                                                    request.volumes, request.name.str())));
  return Answer{kCreated, encode_snapshot_group(group_of(std::move(*taken)))};
}

Result<Answer> get_snapshot_group(const Core& core, const Call& call) {
  TRY(const auto group, find_group(core, call.params[0]));
  return Answer{kOk, encode_snapshot_group(group)};
}

Result<Answer> delete_snapshot_group(const Core& core, const Call& call) {
  TRY(const auto group, find_group(core, call.params[0]));
  TRY_STATUS(status_of(core.groups.drop(words_of(group), group.name.str())));
  return Answer{kNoContent, {}};
}

Result<Answer> roll_snapshot_group_back(const Core& core, const Call& call) {
  TRY(const auto group, find_group(core, call.params[0]));
  RequestDeadline deadline(core.request_deadline);
  const auto kept = core.groups.roll_back(words_of(group), group.name.str(), deadline.progress());
  if (!kept)
    return fail(deadline.explain(kept.error(), fmt::format("fairlead volume rollback --group {} {}",
                                                           words_of(group), group.name.str())));
  return Answer{kOk, encode_snapshots(*kept)};
}

}  // namespace fairlead::native
