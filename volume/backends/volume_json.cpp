#include "volume/backends/volume_json.h"

#include "base/json/fields.h"
#include "base/json/format.h"
#include "base/text.h"

namespace fairlead::volume {

using json::defaulted;
using json::fields;
using json::required;

namespace {

constexpr std::int64_t kFormat = 1;

json::Json show_format(const Volume&) { return kFormat; }

Result<VolumeOptions> read_options(const json::Slot& slot) {
  TRY(const auto options, json::texts_by_name(slot));
  return parse_stored_options(options);
}
json::Json write_options(const VolumeOptions& options) { return to_map(options); }
constexpr auto kOptions = json::custom<&read_options, &write_options>();

constexpr auto kOrigin = json::one_of<SnapshotOrigin::kUser, SnapshotOrigin::kSchedule,
                                      SnapshotOrigin::kRollback, SnapshotOrigin::kArchive>();
constexpr auto kSnapshot =
    fields(required<&Snapshot::id>("id"), required<&Snapshot::name>("name"),
           required<&Snapshot::origin>("origin", kOrigin), required<&Snapshot::created>("created"),
           json::sparse<&Snapshot::size>("size"), json::sparse<&Snapshot::group>("group"));

constexpr auto kLeftOut =
    fields(required<&LeftOut::count>("count"), defaulted<&LeftOut::notes>("notes"));

constexpr auto kVolume =
    fields(json::shown<Volume, show_format>("format"), required<&Volume::id>("id"),
           required<&Volume::name>("name"), required<&Volume::backend>("backend"),
           defaulted<&Volume::options>("options", kOptions), defaulted<&Volume::labels>("labels"),
           required<&Volume::created>("created"), json::sparse<&Volume::pool>("pool"),
           json::sparse<&Volume::backed_up>("backed_up"),
           json::sparse<&Volume::backup_left_out>("backup_left_out"),
           json::sparse<&Volume::left_out>("left_out", json::object(kLeftOut)),
           json::sparse<&Volume::snapshots>("snapshots", json::object(kSnapshot)));

}  // namespace

Status check_written_id(const std::string& id) {
  const bool is_name = !id.empty() && id.front() != '.' &&
                       id.find_first_of(std::string_view("/\0", 2)) == std::string::npos;
  return is_name ? Status() : fail(Code::kInvalid, "{} is no id", shown(id));
}

std::string to_volume_json(const Volume& volume) {
  return json::dump(json::write(volume, kVolume));
}

Result<Volume> parse_volume_json(std::string_view text) {
  TRY(const auto document, json::parse(text));
  TRY_STATUS(status_of(json::read_format(document, "volume.json", kFormat)));
  TRY(auto volume, json::read(document, kVolume));
  TRY_STATUS(check_written_id(volume.id));
  for (const Snapshot& snapshot : volume.snapshots) TRY_STATUS(check_written_id(snapshot.id));
  volume.phase = Phase::kReady;
  return volume;
}

}  // namespace fairlead::volume
