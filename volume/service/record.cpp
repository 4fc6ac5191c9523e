#include "volume/service/record.h"

#include <array>

#include "base/json/json.h"

namespace fairlead::volume {

namespace {

// The value of an enum whose words are those of to_string().
template <class Enum, std::size_t N>
Result<Enum> parse_word(const std::string& text, const std::array<Enum, N>& values,
                        std::string_view what) {
  for (const Enum value : values)
    if (text == to_string(value)) return value;
  return fail(Code::kInternal, "\"{}\" is not the {} of a volume", text, what);
}

constexpr std::array kPhases{Phase::kCreating, Phase::kReady, Phase::kDeleting};
constexpr std::array kOrigins{SnapshotOrigin::kUser, SnapshotOrigin::kSchedule,
                              SnapshotOrigin::kRollback, SnapshotOrigin::kArchive};
constexpr std::array kKinds{ChangeKind::kSnapshot, ChangeKind::kDropSnapshot, ChangeKind::kRollback,
                            ChangeKind::kResize};

Result<Snapshot> parse_snapshot(const json::Object& fields) {
  Snapshot snapshot;
  TRY(snapshot.id, fields.string("id"));
  TRY(const auto name, fields.string("name"));
  TRY(snapshot.name, SnapshotName::parse(name));
  TRY(const auto origin, fields.string("origin"));
  TRY(snapshot.origin, parse_word(origin, kOrigins, "origin of a snapshot"));
  TRY(snapshot.created, fields.integer("created", 0, INT64_MAX));
  TRY(const auto size, fields.integer_or("size", 0, INT64_MAX, 0));
  if (size != 0) snapshot.size = static_cast<std::uint64_t>(size);
  return snapshot;
}

Result<Change> parse_change(const json::Object& fields) {
  Change change;
  TRY(const auto kind, fields.string("kind"));
  TRY(change.kind, parse_word(kind, kKinds, "change"));
  TRY(const auto snapshot, fields.object_or_none("snapshot"));
  if (snapshot) {
    TRY(change.snapshot, parse_snapshot(*snapshot));
  }
  TRY(const auto kept, fields.object_or_none("kept"));
  if (kept) {
    TRY(change.kept, parse_snapshot(*kept));
  }
  TRY(const auto size, fields.integer_or("size", 0, INT64_MAX, 0));
  change.size = static_cast<std::uint64_t>(size);
  if ((change.kind == ChangeKind::kResize) != !snapshot ||
      (change.kind == ChangeKind::kRollback) != kept.has_value())
    return fail(Code::kInternal, "the change \"{}\" of a volume lacks its snapshot", kind);
  return change;
}

Result<MountHint> parse_mount(const json::Object& fields) {
  MountHint hint;
  TRY(hint.client, fields.string("client"));
  TRY(hint.id, fields.string("id"));
  TRY(const auto count, fields.integer("count", 1, UINT32_MAX));
  hint.count = static_cast<unsigned>(count);
  return hint;
}

// What every version wrote.
Status parse_core(const json::Object& fields, Volume& volume) {
  TRY(volume.id, fields.string("id"));
  TRY(const auto name, fields.string("name"));
  TRY(volume.name, VolumeName::parse(name));
  TRY(volume.backend, fields.string("backend"));
  TRY(volume.options, fields.string_map_or_empty("options"));
  TRY(volume.labels, fields.string_map_or_empty("labels"));
  TRY(const auto phase, fields.string("phase"));
  TRY(volume.phase, parse_word(phase, kPhases, "phase"));
  TRY(volume.created, fields.integer("created", 0, INT64_MAX));
  TRY(volume.deleted, fields.integer_or("deleted", 0, INT64_MAX, 0));
  return {};
}

Status parse_depth(const json::Object& fields, Volume& volume) {
  TRY(volume.pool, fields.string_or("pool", {}));
  TRY(volume.backed_up, fields.integer_or("backed_up", 0, INT64_MAX, 0));
  TRY(const auto snapshots, fields.objects_or_empty("snapshots"));
  for (const json::Object& snapshot : snapshots) {
    TRY(volume.snapshots.emplace_back(), parse_snapshot(snapshot));
  }
  TRY(const auto change, fields.object_or_none("change"));
  if (change) {
    TRY(volume.change, parse_change(*change));
  }
  return {};
}

Result<ParsedRecord> parse_fields(const json::Json& document, const std::string& boot) {
  TRY(const auto fields, json::Object::of(document));
  ParsedRecord parsed;
  Volume& volume = parsed.entry.volume;
  TRY_STATUS(parse_core(fields, volume));
  TRY_STATUS(parse_depth(fields, volume));
  TRY(parsed.entry.former, fields.string_or("former", {}));
  TRY(parsed.entry.counted, fields.integer_or("counted", 0, INT64_MAX, 0));
  TRY(const auto counted_in, fields.string_or("boot", {}));
  TRY(const auto mounts, fields.objects_or_empty("mounts"));
  for (const json::Object& mount : mounts) {
    TRY(volume.mounts.emplace_back(), parse_mount(mount));
  }
  parsed.void_mounts = !volume.mounts.empty() && counted_in != boot;
  if (parsed.void_mounts) volume.mounts.clear();
  if (volume.mounts.empty()) parsed.entry.counted = 0;
  return parsed;
}

json::Json to_json(const Snapshot& snapshot) {
  json::Json object{{"id", snapshot.id},
                    {"name", snapshot.name.str()},
                    {"origin", to_string(snapshot.origin)},
                    {"created", snapshot.created}};
  if (snapshot.size) object["size"] = *snapshot.size;
  return object;
}

json::Json to_json(const Change& change) {
  json::Json object{{"kind", to_string(change.kind)}};
  if (change.kind == ChangeKind::kResize)
    object["size"] = change.size;
  else
    object["snapshot"] = to_json(change.snapshot);
  if (change.kind == ChangeKind::kRollback) object["kept"] = to_json(change.kept);
  return object;
}

json::Json to_json(const Entry& entry, const std::string& boot) {
  const Volume& volume = entry.volume;
  json::Json record{{"id", volume.id},           {"name", volume.name.str()},
                    {"backend", volume.backend}, {"options", volume.options},
                    {"labels", volume.labels},   {"phase", to_string(volume.phase)},
                    {"created", volume.created}};
  if (volume.deleted != 0) record["deleted"] = volume.deleted;
  if (!volume.pool.empty()) record["pool"] = volume.pool;
  if (!entry.former.empty()) record["former"] = entry.former;
  if (volume.backed_up != 0) record["backed_up"] = volume.backed_up;
  for (const Snapshot& snapshot : volume.snapshots)
    record["snapshots"].push_back(to_json(snapshot));
  if (volume.change) record["change"] = to_json(*volume.change);
  if (volume.mounts.empty()) return record;
  record["boot"] = boot;
  record["counted"] = entry.counted;
  for (const MountHint& hint : volume.mounts)
    record["mounts"].push_back({{"client", hint.client}, {"id", hint.id}, {"count", hint.count}});
  return record;
}

Result<TrashedVolume> parse_trash_fields(std::string_view text) {
  TRY(const auto document, json::parse(text));
  TRY(const auto fields, json::Object::of(document));
  TrashedVolume trashed;
  TRY(trashed.due, fields.integer("due", 0, INT64_MAX));
  TRY(const auto volume, fields.object("volume"));
  TRY(auto parsed, parse_fields(volume.raw(), {}));
  trashed.volume = std::move(parsed.entry.volume);
  return trashed;
}

}  // namespace

std::string to_record(const Entry& entry, const std::string& boot) {
  return json::dump(to_json(entry, boot));
}

Result<ParsedRecord> parse_record(std::string_view text, const std::string& boot) {
  auto parsed = [&]() -> Result<ParsedRecord> {
    TRY(const auto document, json::parse(text));
    return parse_fields(document, boot);
  }();
  if (!parsed)
    return fail(
        Error{Code::kInternal, 0,
              fmt::format("the record of a volume cannot be read: {}", parsed.error().text)});
  return parsed;
}

std::string to_trash_record(const TrashedVolume& trashed) {
  return json::dump(
      {{"due", trashed.due},
       {"volume", to_json({.volume = trashed.volume, .counted = 0, .former = {}}, {})}});
}

Result<TrashedVolume> parse_trash_record(std::string_view text) {
  auto parsed = parse_trash_fields(text);
  if (!parsed)
    return fail(Error{
        Code::kInternal, 0,
        fmt::format("the record of a removed volume cannot be read: {}", parsed.error().text)});
  return parsed;
}

}  // namespace fairlead::volume
