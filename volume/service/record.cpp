#include "volume/service/record.h"

#include "base/json/json.h"

namespace fairlead::volume {

namespace {

Result<Phase> parse_phase(const std::string& text) {
  for (const Phase phase : {Phase::kCreating, Phase::kReady, Phase::kDeleting})
    if (text == to_string(phase)) return phase;
  return fail(Code::kInternal, "\"{}\" is not the phase of a volume", text);
}

Result<ParsedRecord> parse_fields(std::string_view text, const std::string& boot) {
  TRY(const auto document, json::parse(text));
  TRY(const auto fields, json::Object::of(document));
  ParsedRecord parsed;
  Volume& volume = parsed.volume;
  TRY(volume.id, fields.string("id"));
  TRY(const auto name, fields.string("name"));
  TRY(volume.name, VolumeName::parse(name));
  TRY(volume.backend, fields.string("backend"));
  TRY(volume.options, fields.string_map_or_empty("options"));
  TRY(volume.labels, fields.string_map_or_empty("labels"));
  TRY(const auto phase, fields.string("phase"));
  TRY(volume.phase, parse_phase(phase));
  TRY(volume.created, fields.integer("created", 0, INT64_MAX));
  TRY(volume.deleted, fields.integer_or("deleted", 0, INT64_MAX, 0));
  TRY(const auto counted_in, fields.string_or("boot", {}));
  TRY(const auto mounts, fields.objects_or_empty("mounts"));
  for (const json::Object& mount : mounts) {
    MountHint hint;
    TRY(hint.client, mount.string("client"));
    TRY(hint.id, mount.string("id"));
    TRY(const auto count, mount.integer("count", 1, UINT32_MAX));
    hint.count = static_cast<unsigned>(count);
    volume.mounts.push_back(std::move(hint));
  }
  parsed.void_mounts = !volume.mounts.empty() && counted_in != boot;
  if (parsed.void_mounts) volume.mounts.clear();
  return parsed;
}

}  // namespace

std::string to_record(const Volume& volume, const std::string& boot) {
  json::Json record{{"id", volume.id},           {"name", volume.name.str()},
                    {"backend", volume.backend}, {"options", volume.options},
                    {"labels", volume.labels},   {"phase", to_string(volume.phase)},
                    {"created", volume.created}};
  if (volume.deleted != 0) record["deleted"] = volume.deleted;
  if (volume.mounts.empty()) return json::dump(record);
  record["boot"] = boot;
  for (const MountHint& hint : volume.mounts)
    record["mounts"].push_back({{"client", hint.client}, {"id", hint.id}, {"count", hint.count}});
  return json::dump(record);
}

Result<ParsedRecord> parse_record(std::string_view text, const std::string& boot) {
  auto parsed = parse_fields(text, boot);
  if (!parsed)
    return fail(
        Error{Code::kInternal, 0,
              fmt::format("the record of a volume cannot be read: {}", parsed.error().text)});
  return parsed;
}

}  // namespace fairlead::volume
