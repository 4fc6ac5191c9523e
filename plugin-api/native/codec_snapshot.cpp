// Snapshots and what is done to a volume's content, as JSON.
#include "base/host.h"
#include "plugin-api/native/fields.h"

namespace fairlead::native {

namespace {

// Labels of a PATCH: null takes one away.
Result<std::map<std::string, std::optional<std::string>>> label_changes(const Object& object) {
  std::map<std::string, std::optional<std::string>> changes;
  TRY(auto labels, object.object_or_none("labels"));
  if (!labels) return changes;
  json::Json given = json::Json::object();
  for (const auto& [key, value] : labels->raw().members())
    if (value.is_null())
      changes[key] = std::nullopt;
    else
      given.add(key, value);
  const json::Json set{{"labels", std::move(given)}};
  TRY(auto rest, Object::of(set));
  TRY(auto values, strings(rest, "labels"));
  for (auto& [key, value] : values) changes[key] = std::move(value);
  return changes;
}

}  // namespace

Result<VolumeChange> decode_volume_change(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(object, {"name", "labels", "size"}));
  VolumeChange change;
  TRY(change.name, parsed_or_none(object, "name", VolumeName::parse));
  TRY(change.labels, label_changes(object));
  TRY(change.size, size_or_none(object, "size"));
  if (!change.name && change.labels.empty() && !change.size)
    return fail(Code::kInvalid, "nothing to change: give name, labels or size");
  return change;
}

Document encode_snapshot(const VolumeName& volume, const volume::Snapshot& snapshot) {
  Document state = {{"volume", volume.str()},
                    {"id", snapshot.id},
                    {"origin", volume::to_string(snapshot.origin)},
                    {"created", rfc3339(snapshot.created)}};
  if (snapshot.size) state["size"] = *snapshot.size;
  return {{"name", snapshot.name.str()}, {"state", std::move(state)}};
}

Result<std::string> decode_snapshot(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(object, {"name", "state"}));
  TRY(auto name, parsed_or_none(object, "name", SnapshotName::parse));
  return name ? name->str() : std::string();
}

Result<SnapshotName> decode_rollback(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(object, {"snapshot"}));
  return parsed(object, "snapshot", SnapshotName::parse);
}

Result<bool> decode_check(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(object, {"repair"}));
  return object.bool_or("repair", false);
}

Document encode_check(const volume::CheckReport& report) {
  return {{"clean", report.clean}, {"findings", report.findings}};
}

Document encode_usage(const volume::VolumeStatus& usage) {
  Document document = Document::object();
  if (usage.size) document["size"] = *usage.size;
  if (usage.used) document["used"] = *usage.used;
  if (usage.inodes) document["inodes"] = *usage.inodes;
  if (usage.inodes_used) document["inodes_used"] = *usage.inodes_used;
  return document;
}

}  // namespace fairlead::native
