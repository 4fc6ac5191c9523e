#include "volume/backends/volume_json.h"

#include "base/json/json.h"

namespace fairlead::volume {

namespace {
constexpr std::int64_t kFormat = 1;
}

std::string to_volume_json(const Volume& volume) {
  return json::dump({{"format", kFormat},
                     {"id", volume.id},
                     {"name", volume.name.str()},
                     {"backend", volume.backend},
                     {"options", volume.options},
                     {"labels", volume.labels},
                     {"created", volume.created}});
}

Result<Volume> parse_volume_json(std::string_view text) {
  TRY(const auto document, json::parse(text));
  TRY(const auto fields, json::Object::of(document));
  TRY(const auto format, fields.integer("format", 1, INT32_MAX));
  if (format > kFormat)
    return fail(Code::kUnsupported,
                "volume.json has format {}; this version of Fairlead reads up to {}", format,
                kFormat);
  Volume volume;
  TRY(volume.id, fields.string("id"));
  TRY(const auto name, fields.string("name"));
  TRY(volume.name, VolumeName::parse(name));
  TRY(volume.backend, fields.string("backend"));
  TRY(volume.options, fields.string_map_or_empty("options"));
  TRY(volume.labels, fields.string_map_or_empty("labels"));
  TRY(volume.created, fields.integer("created", 0, INT64_MAX));
  volume.phase = Phase::kReady;
  return volume;
}

}  // namespace fairlead::volume
