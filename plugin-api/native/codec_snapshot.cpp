// Snapshots and what is done to a volume's content, as JSON.
#include "plugin-api/native/forms.h"

namespace fairlead::native {

using json::defaulted;
using json::fields;
using json::Json;
using json::one_of;
using json::required;
using json::Slot;
using json::sparse;
using volume::CheckReport;
using volume::Snapshot;
using volume::SnapshotOrigin;
using volume::VolumeStatus;

namespace {

// Labels of a PATCH: null takes one away.
using LabelChanges = std::map<std::string, std::optional<std::string>>;
Result<LabelChanges> read_label_changes(const Slot& slot) {
  if (!slot.value().is_object()) return slot.wrong("an object of strings");
  LabelChanges changes;
  for (const auto& [key, value] : slot.value().members()) {
    auto text = json::as_text(value);
    if (!text && !value.is_null()) return slot.member(key, &value).wrong("a string");
    TRY_STATUS(check_text(slot, key, text.value_or("")));
    changes[key] = std::move(text);
  }
  return changes;
}

Json write_label_changes(const LabelChanges& changes) {
  Json labels = Json::object();
  for (const auto& [key, value] : changes) labels.add(key, value ? Json(*value) : Json());
  return labels;
}

constexpr auto kChange =
    fields(sparse<&VolumeChange::name>("name"),
           sparse<&VolumeChange::labels>("labels",
                                         json::custom<&read_label_changes, &write_label_changes>()),
           sparse<&VolumeChange::size>("size", kSize));

// ---- snapshots

struct SnapshotState {
  std::string volume;  // its name
  Snapshot snapshot;
  std::optional<std::uint64_t> only_here;
};
constexpr auto kSnapshot = &SnapshotState::snapshot;
constexpr auto kState = fields(
    required<&SnapshotState::volume>("volume"), required<kSnapshot, &Snapshot::id>("id"),
    required<kSnapshot, &Snapshot::origin>(
        "origin", one_of<SnapshotOrigin::kUser, SnapshotOrigin::kSchedule,
                         SnapshotOrigin::kRollback, SnapshotOrigin::kArchive>()),
    required<kSnapshot, &Snapshot::created>("created", kTime),
    sparse<kSnapshot, &Snapshot::size>("size"), sparse<&SnapshotState::only_here>("only_here"),
    sparse<kSnapshot, &Snapshot::group>("group"),
    sparse<kSnapshot, &Snapshot::mounts>("mounts", json::object(kMountHint)));

// What a mounted snapshot has beside that.
using volume::SnapshotView;
struct ViewState {
  SnapshotView view;
  std::optional<bool> in_use;
};
constexpr auto kView = &ViewState::view;
constexpr auto kViewState = fields(
    sparse<kView, &SnapshotView::backend>("backend"),
    sparse<kView, &SnapshotView::mountpoint>("mountpoint"), sparse<&ViewState::in_use>("in_use"),
    sparse<kView, &SnapshotView::users>("users"), sparse<kView, &SnapshotView::health>("health"));

struct SnapshotSpec {
  SnapshotName name;
};
constexpr auto kSpec =
    fields(sparse<&SnapshotSpec::name>("name"), json::ignored<SnapshotSpec>("state"));

struct RollbackRequest {
  SnapshotName snapshot;
};
constexpr auto kRollback = fields(required<&RollbackRequest::snapshot>("snapshot"));

// ---- groups

constexpr auto kGroupRequest = fields(required<&SnapshotGroupRequest::volumes>("volumes"),
                                      sparse<&SnapshotGroupRequest::name>("name"));

Json list_of(const std::vector<volume::VolumeSnapshot>& snapshots) {
  Json list = Json::array();
  for (const volume::VolumeSnapshot& one : snapshots)
    list.push_back(encode_snapshot(one.volume, one.snapshot));
  return list;
}

Json show_snapshots(const SnapshotGroup& group) { return list_of(group.snapshots); }
constexpr auto kGroup =
    fields(sparse<&SnapshotGroup::id>("id"), required<&SnapshotGroup::name>("name"),
           json::shown<SnapshotGroup, show_snapshots>("snapshots"));

// ---- checks and usage

struct CheckRequest {
  bool repair = false;
};
constexpr auto kCheckRequest = fields(defaulted<&CheckRequest::repair>("repair"));

constexpr auto kCheckReport =
    fields(required<&CheckReport::clean>("clean"), required<&CheckReport::findings>("findings"));

constexpr auto kUsage = fields(
    sparse<&VolumeStatus::size>("size"), sparse<&VolumeStatus::used>("used"),
    sparse<&VolumeStatus::only_in_snapshots>("only_in_snapshots"),
    sparse<&VolumeStatus::inodes>("inodes"), sparse<&VolumeStatus::inodes_used>("inodes_used"));

}  // namespace

Result<VolumeChange> decode_volume_change(const Json& document) {
  TRY(auto change, json::read(document, kChange, kStrict));
  if (!change.name && change.labels.empty() && !change.size)
    return fail(Code::kInvalid, "nothing to change: give name, labels or size");
  return change;
}

Document encode_snapshot(const VolumeName& volume, const Snapshot& snapshot,
                         std::optional<std::uint64_t> only_here) {
  Document document = json::write(SnapshotSpec{snapshot.name}, kSpec);
  document.add("state", json::write(SnapshotState{volume.str(), snapshot, only_here}, kState));
  return document;
}

Document encode_view(const SnapshotView& view) {
  Document document = json::write(SnapshotSpec{view.snapshot.name}, kSpec);
  Json state = json::write(SnapshotState{view.volume.str(), view.snapshot, {}}, kState);
  json::append(state, json::write(ViewState{view, !view.users.empty()}, kViewState));
  document.add("state", std::move(state));
  return document;
}

Result<SnapshotView> decode_view(const Json& document) {
  TRY(const auto whole, json::Object::of(document));
  TRY(const auto state, whole.object("state"));
  const Slot place(state, kLenient);
  TRY(auto read, json::read(place, kViewState));
  TRY(read.view.snapshot, decode_taken_snapshot(document));
  TRY(const auto of, json::read(place, kState));
  TRY(read.view.volume, VolumeName::parse(of.volume));
  return std::move(read.view);
}

Result<SnapshotSpace> decode_space(const Json& document) {
  TRY(const auto state, json::Object::of(document).and_then([](const json::Object& whole) {
    return tl::expected<json::Object, Error>(whole.object("state"));
  }));
  TRY(auto read, json::read(Slot(state, kLenient), kState));
  return SnapshotSpace{std::move(read.snapshot.id), read.only_here};
}

Document encode_volume_change(const VolumeChange& change) { return json::write(change, kChange); }

Result<Snapshot> decode_taken_snapshot(const Json& document) {
  const Slot slot(document, kLenient);
  TRY(auto spec, json::read(slot, kSpec));
  const Json* found = slot.find("state");
  const Slot place = slot.member("state", found);
  if (found == nullptr) return place.missing();
  TRY(auto state, json::read(place, kState));
  state.snapshot.name = std::move(spec.name);
  return std::move(state.snapshot);
}

Document encode_snapshot_request(const SnapshotName& name) {
  return json::write(SnapshotSpec{name}, kSpec);
}

Document encode_rollback(const SnapshotName& snapshot) {
  return json::write(RollbackRequest{snapshot}, kRollback);
}

Document encode_check_request(bool repair) {
  return json::write(CheckRequest{repair}, kCheckRequest);
}

Result<CheckReport> decode_check_report(const Json& document) {
  return json::read(document, kCheckReport, kLenient);
}

Result<VolumeStatus> decode_usage(const Json& document) {
  return json::read(document, kUsage, kLenient);
}

Result<std::string> decode_snapshot(const Json& document) {
  TRY(const auto spec, json::read(document, kSpec, kStrict));
  return spec.name.str();
}

Result<SnapshotName> decode_rollback(const Json& document) {
  TRY(auto request, json::read(document, kRollback, kStrict));
  return std::move(request.snapshot);
}

Result<bool> decode_check(const Json& document) {
  TRY(const auto request, json::read(document, kCheckRequest, kStrict));
  return request.repair;
}

Document encode_check(const CheckReport& report) { return json::write(report, kCheckReport); }

Document encode_usage(const VolumeStatus& usage) { return json::write(usage, kUsage); }

Document encode_snapshot_group(const SnapshotGroup& group) { return json::write(group, kGroup); }

Result<SnapshotGroupRequest> decode_snapshot_group(const Json& document) {
  return json::read(document, kGroupRequest, kStrict);
}

Document encode_snapshots(const std::vector<volume::VolumeSnapshot>& snapshots) {
  return {{"snapshots", list_of(snapshots)}};
}

std::vector<DocumentTable> snapshot_tables() {
  return {{"VolumeChange", kChange.rows},      {"SnapshotSpec", kSpec.rows},
          {"SnapshotState", kState.rows},      {"SnapshotState", kViewState.rows},
          {"RollbackRequest", kRollback.rows}, {"CheckRequest", kCheckRequest.rows},
          {"SnapshotGroup", kGroup.rows},      {"SnapshotGroupRequest", kGroupRequest.rows},
          {"CheckReport", kCheckReport.rows},  {"VolumeUsage", kUsage.rows}};
}

}  // namespace fairlead::native
