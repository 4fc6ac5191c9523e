#include "volume/service/record.h"

#include <algorithm>

#include "base/json/fields.h"

namespace fairlead::volume {

using json::defaulted;
using json::fields;
using json::object;
using json::one_of;
using json::Range;
using json::required;
using json::Slot;
using json::sparse;

namespace {

// What a record holds.
struct VolumeRecord {
  Volume volume;
  std::string former;
  bool unflushed = false;
  // Only with mounts: the boot in which they were counted, and when that was last.
  std::optional<std::string> boot;
  std::optional<long long> counted;

  bool operator==(const VolumeRecord&) const = default;
};

// ---- forms

Status check_snapshot(const Slot&, void* value) {
  auto& snapshot = *static_cast<Snapshot*>(value);
  if (snapshot.size == 0) snapshot.size.reset();
  return {};
}

// A snapshot that is there has a name.
Status check_change(const Slot& slot, void* value) {
  const auto& change = *static_cast<const Change*>(value);
  if ((change.kind == ChangeKind::kResize) == change.snapshot.name.empty() &&
      (change.kind == ChangeKind::kRollback) != change.kept.name.empty())
    return {};
  return fail(Code::kInvalid, "field {}: the change \"{}\" of a volume lacks its snapshot",
              slot.path(), to_string(change.kind));
}

Result<VolumeOptions> read_options(const Slot& slot) {
  TRY(const auto options, json::texts_by_name(slot));
  return parse_stored_options(options);
}
json::Json write_options(const VolumeOptions& options) { return to_map(options); }
constexpr auto kOptions = json::custom<&read_options, &write_options>();

constexpr auto kPhase = one_of<Phase::kCreating, Phase::kReady, Phase::kDeleting>();
constexpr auto kOrigin = one_of<SnapshotOrigin::kUser, SnapshotOrigin::kSchedule,
                                SnapshotOrigin::kRollback, SnapshotOrigin::kArchive>();
constexpr auto kKind = one_of<ChangeKind::kSnapshot, ChangeKind::kDropSnapshot,
                              ChangeKind::kRollback, ChangeKind::kResize>();

// ---- the fields of each part

constexpr auto kMount =
    fields(required<&MountHint::client>("client"), required<&MountHint::id>("id"),
           required<&MountHint::count>("count", Range{1, UINT32_MAX}));

constexpr auto kSnapshotFields =
    fields(required<&Snapshot::id>("id"), required<&Snapshot::name>("name"),
           required<&Snapshot::origin>("origin", kOrigin), required<&Snapshot::created>("created"),
           sparse<&Snapshot::size>("size"), sparse<&Snapshot::group>("group"),
           sparse<&Snapshot::mounts>("mounts", object(kMount)));
constexpr auto kSnapshot = object(kSnapshotFields, check_snapshot);

constexpr auto kChangeFields =
    fields(required<&Change::kind>("kind", kKind), sparse<&Change::snapshot>("snapshot", kSnapshot),
           sparse<&Change::kept>("kept", kSnapshot), sparse<&Change::size>("size"),
           sparse<&Change::automatic>("automatic"));
constexpr auto kChange = object(kChangeFields, check_change);

constexpr auto kLeftOut =
    fields(required<&LeftOut::count>("count"), defaulted<&LeftOut::notes>("notes"));

constexpr auto kBackupFields =
    fields(sparse<&BackupState::done>("done"), sparse<&BackupState::tried>("tried"),
           sparse<&BackupState::since>("since"), sparse<&BackupState::failures>("failures"),
           sparse<&BackupState::error>("error"));

constexpr auto kVolume =
    fields(required<&VolumeRecord::volume, &Volume::id>("id"),
           required<&VolumeRecord::volume, &Volume::name>("name"),
           required<&VolumeRecord::volume, &Volume::backend>("backend"),
           defaulted<&VolumeRecord::volume, &Volume::options>("options", kOptions),
           defaulted<&VolumeRecord::volume, &Volume::labels>("labels"),
           required<&VolumeRecord::volume, &Volume::phase>("phase", kPhase),
           required<&VolumeRecord::volume, &Volume::created>("created"),
           sparse<&VolumeRecord::volume, &Volume::deleted>("deleted"),
           sparse<&VolumeRecord::volume, &Volume::pool>("pool"),
           sparse<&VolumeRecord::former>("former"), sparse<&VolumeRecord::unflushed>("unflushed"),
           sparse<&VolumeRecord::volume, &Volume::backed_up>("backed_up"),
           sparse<&VolumeRecord::volume, &Volume::backup_left_out>("backup_left_out"),
           sparse<&VolumeRecord::volume, &Volume::left_out>("left_out", object(kLeftOut)),
           sparse<&VolumeRecord::volume, &Volume::backup>("backup", object(kBackupFields)),
           sparse<&VolumeRecord::volume, &Volume::snapshots>("snapshots", kSnapshot),
           sparse<&VolumeRecord::volume, &Volume::change>("change", kChange),
           sparse<&VolumeRecord::boot>("boot"), sparse<&VolumeRecord::counted>("counted"),
           sparse<&VolumeRecord::volume, &Volume::mounts>("mounts", object(kMount)));

struct TrashRecord {
  long long due = 0;
  VolumeRecord volume;
};
constexpr auto kTrash = fields(required<&TrashRecord::due>("due"),
                               required<&TrashRecord::volume>("volume", object(kVolume)));

constexpr auto kLevel = one_of<DiskLevel::kOk, DiskLevel::kFilling, DiskLevel::kFull>();
constexpr auto kDisk =
    fields(required<&DiskState::path>("path"), required<&DiskState::level>("level", kLevel),
           required<&DiskState::percent>("percent", Range{0, 100}));

bool has_mounts(const Volume& volume) {
  return !volume.mounts.empty() || std::ranges::any_of(volume.snapshots, [](const Snapshot& one) {
    return !one.mounts.empty();
  });
}

void clear_mounts(Volume& volume) {
  volume.mounts.clear();
  for (Snapshot& snapshot : volume.snapshots) snapshot.mounts.clear();
}

VolumeRecord record_of(const Entry& entry, const std::string& boot) {
  VolumeRecord record{.volume = entry.volume,
                      .former = entry.former,
                      .unflushed = entry.unflushed,
                      .boot = {},
                      .counted = {}};
  if (has_mounts(entry.volume)) {
    record.boot = boot;
    record.counted = entry.counted;
  }
  return record;
}

ParsedRecord parsed_of(VolumeRecord record, const std::string& boot) {
  ParsedRecord parsed;
  Volume& volume = parsed.entry.volume;
  volume = std::move(record.volume);
  parsed.void_mounts = has_mounts(volume) && record.boot.value_or("") != boot;
  if (parsed.void_mounts) clear_mounts(volume);
  if (has_mounts(volume)) parsed.entry.counted = record.counted.value_or(0);
  parsed.entry.former = std::move(record.former);
  parsed.entry.unflushed = record.unflushed;
  return parsed;
}

template <class T, std::size_t N>
Result<T> read_text(std::string_view text, const json::Fields<T, N>& table, std::string_view what) {
  auto read = [&]() -> Result<T> {
    TRY(const auto document, json::parse(text));
    return json::read(document, table);
  }();
  if (!read)
    return fail(Code::kInternal, "the record of a {} cannot be read: {}", what, read.error().text);
  return read;
}

}  // namespace

std::string to_record(const Entry& entry, const std::string& boot) {
  return json::dump(json::write(record_of(entry, boot), kVolume));
}

Result<ParsedRecord> parse_record(std::string_view text, const std::string& boot) {
  TRY(auto record, read_text(text, kVolume, "volume"));
  return parsed_of(std::move(record), boot);
}

std::string to_disk_record(const DiskState& state) { return json::dump(json::write(state, kDisk)); }

Result<DiskState> parse_disk_record(std::string_view text) {
  return read_text(text, kDisk, "disk");
}

std::string growth_error_of(std::string_view text) {
  const auto document = json::parse(text);
  const auto whole =
      document ? json::Object::of(*document) : Result<json::Object>(fail(document.error()));
  return whole ? whole->string("error").value_or("") : "";
}

std::string to_trash_record(const TrashedVolume& trashed) {
  const Entry entry{.volume = trashed.volume, .counted = 0, .former = {}, .unflushed = false};
  return json::dump(
      json::write(TrashRecord{.due = trashed.due, .volume = record_of(entry, {})}, kTrash));
}

Result<TrashedVolume> parse_trash_record(std::string_view text) {
  TRY(auto record, read_text(text, kTrash, "removed volume"));
  auto parsed = parsed_of(std::move(record.volume), {});
  return TrashedVolume{.volume = std::move(parsed.entry.volume), .due = record.due};
}

}  // namespace fairlead::volume
