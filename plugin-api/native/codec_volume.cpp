#include "plugin-api/native/forms.h"

namespace fairlead::native {

using json::defaulted;
using json::fields;
using json::ignored;
using json::Json;
using json::object;
using json::one_of;
using json::required;
using json::shown;
using json::sparse;
using volume::MountHint;
using volume::Snapshot;
using volume::Volume;
using volume::VolumeSpec;
using volume::VolumeStatus;

namespace {

Result<volume::VolumeOptions> read_options(const json::Slot& slot) {
  TRY(const auto options, read_texts(slot));
  return volume::parse_options(options);
}
Json write_options(const volume::VolumeOptions& options) { return volume::to_map(options); }
constexpr auto kOptions = json::custom<&read_options, &write_options>();

constexpr auto kSpec = fields(
    required<&VolumeSpec::name>("name"), defaulted<&VolumeSpec::options>("options", kOptions),
    defaulted<&VolumeSpec::labels>("labels", kTexts), ignored<VolumeSpec>("state"));

// ---- what Fairlead decided

constexpr auto kMountHint =
    fields(required<&MountHint::client>("client"), required<&MountHint::id>("id"),
           required<&MountHint::count>("count"));

Json snapshots_of(const Volume& volume) {
  Json list = Json::array();
  for (const Snapshot& snapshot : volume.snapshots)
    list.push_back(encode_snapshot(volume.name, snapshot));
  return list;
}

constexpr auto kState = fields(
    required<&Volume::id>("id"), required<&Volume::backend>("backend"),
    sparse<&Volume::pool>("pool"), required<&Volume::mountpoint>("mountpoint"),
    required<&Volume::phase>(
        "phase",
        one_of<volume::Phase::kCreating, volume::Phase::kReady, volume::Phase::kDeleting>()),
    required<&Volume::created>("created", kTime),
    required<&Volume::mounts>("mounts", object(kMountHint)),
    shown<Volume, snapshots_of>("snapshots"), sparse<&Volume::backed_up>("last_backup", kTime));

constexpr auto kStatus = fields(
    sparse<&VolumeStatus::reason>("reason"), sparse<&VolumeStatus::size>("size"),
    sparse<&VolumeStatus::used>("used"), sparse<&VolumeStatus::inodes>("inodes"),
    sparse<&VolumeStatus::inodes_used>("inodes_used"), sparse<&VolumeStatus::in_use>("in_use"),
    sparse<&VolumeStatus::users>("users"), required<&VolumeStatus::health>("health"));

// ---- mounts

constexpr auto kMount = fields(defaulted<&MountRequest::client>("client", kId),
                               required<&MountRequest::id>("id", kLabel));

Document encode_report(const std::vector<std::string>& actions,
                       const std::vector<std::string>& failures) {
  return {{"actions", actions}, {"failures", failures}};
}

}  // namespace

Document encode_volume_spec(const VolumeSpec& spec) { return json::write(spec, kSpec); }

Document encode_volume(const Volume& volume, const std::optional<VolumeStatus>& status) {
  Document document = encode_volume_spec({volume.name, volume.options, volume.labels});
  Document state = json::write(volume, kState);
  if (status) json::append(state, json::write(*status, kStatus));
  document.add("state", std::move(state));
  return document;
}

Result<VolumeSpec> decode_volume_spec(const Json& document) {
  return json::read(document, kSpec, kStrict);
}

Result<MountRequest> decode_mount(const Json& document) {
  return json::read(document, kMount, kStrict);
}

Document encode_status(const network::ServiceStatus& status, std::size_t volumes) {
  return {{"networks", status.networks}, {"endpoints", status.endpoints}, {"ports", status.ports},
          {"leases", status.leases},     {"pools", status.pools},         {"volumes", volumes},
          {"problems", status.problems}, {"notes", status.notes}};
}

Document encode_reconcile(const network::ReconcileReport& network,
                          const volume::ReconcileReport& volume) {
  return {{"network", encode_report(network.actions, network.failures)},
          {"volume", encode_report(volume.actions, volume.failures)}};
}

Document encode_version(std::string_view version) { return {{"version", version}, {"api", "v1"}}; }

Document encode_problem(const Error& error, int http_status, std::string_view title) {
  return {{"type", fmt::format("urn:fairlead:problem:{}", to_string(error.code))},
          {"title", title},
          {"status", http_status},
          {"detail", error.text},
          {"code", to_string(error.code)}};
}

std::vector<DocumentTable> volume_tables() {
  return {{"VolumeSpec", kSpec.rows},
          {"MountHint", kMountHint.rows},
          {"VolumeState", kState.rows},
          {"VolumeState", kStatus.rows},
          {"MountRequest", kMount.rows}};
}

}  // namespace fairlead::native
