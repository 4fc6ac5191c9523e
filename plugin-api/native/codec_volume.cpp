#include "plugin-api/native/forms.h"
#include "volume/api/secrets.h"

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
using volume::BackupState;
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
    shown<Volume, snapshots_of>("snapshots"), sparse<&Volume::backed_up>("last_backup", kTime),
    sparse<&Volume::left_out>("left_out", object(kLeftOut)), sparse<&Volume::warnings>("warnings"),
    sparse<&Volume::backup, &BackupState::done>("last_scheduled_backup", kTime),
    sparse<&Volume::backup, &BackupState::tried>("last_backup_try", kTime),
    sparse<&Volume::backup, &BackupState::since>("backup_failing_since", kTime),
    sparse<&Volume::backup, &BackupState::failures>("backup_failures"),
    sparse<&Volume::backup, &BackupState::error>("backup_error"));

using volume::Condition;
constexpr auto kCondition =
    one_of<Condition::kOk, Condition::kWarning, Condition::kFull, Condition::kDiskFull,
           Condition::kDamaged, Condition::kMissing, Condition::kOffline, Condition::kLocked>();
constexpr auto kStatus = fields(
    sparse<&VolumeStatus::reason>("reason"), sparse<&VolumeStatus::size>("size"),
    sparse<&VolumeStatus::used>("used"),
    sparse<&VolumeStatus::only_in_snapshots>("only_in_snapshots"),
    sparse<&VolumeStatus::inodes>("inodes"), sparse<&VolumeStatus::inodes_used>("inodes_used"),
    sparse<&VolumeStatus::in_use>("in_use"), sparse<&VolumeStatus::users>("users"),
    defaulted<&VolumeStatus::condition>("condition", kCondition),
    required<&VolumeStatus::health>("health"));

// ---- the host

struct StatusView {
  network::ServiceStatus status;
  std::size_t volumes = 0, volume_pools = 0;
};
using network::ServiceStatus;
constexpr auto kHost = &StatusView::status;
constexpr auto kHostStatus = fields(required<kHost, &ServiceStatus::networks>("networks"),
                                    required<kHost, &ServiceStatus::endpoints>("endpoints"),
                                    required<kHost, &ServiceStatus::ports>("ports"),
                                    required<kHost, &ServiceStatus::leases>("leases"),
                                    required<kHost, &ServiceStatus::pools>("pools"),
                                    required<&StatusView::volumes>("volumes"),
                                    required<&StatusView::volume_pools>("volume_pools"),
                                    required<kHost, &ServiceStatus::problems>("problems"),
                                    required<kHost, &ServiceStatus::notes>("notes"));

constexpr auto kNetworkReport = fields(required<&network::ReconcileReport::actions>("actions"),
                                       required<&network::ReconcileReport::failures>("failures"));
constexpr auto kVolumeReport = fields(required<&volume::ReconcileReport::actions>("actions"),
                                      required<&volume::ReconcileReport::failures>("failures"));
constexpr auto kReports =
    fields(required<&ReconcileReports::network>("network", object(kNetworkReport)),
           required<&ReconcileReports::volume>("volume", object(kVolumeReport)));

Result<Code> parse_code(std::string_view text) {
  for (const Code code :
       {Code::kInvalid, Code::kNotFound, Code::kExists, Code::kConflict, Code::kInUse,
        Code::kExhausted, Code::kUnsupported, Code::kUnavailable, Code::kIo})
    if (to_string(code) == text) return code;
  return Code::kInternal;
}
struct Problem {
  std::string type, title;
  int status = 0;
  std::string detail;
  Code code = Code::kInternal;
};
constexpr auto kProblem =
    fields(required<&Problem::type>("type"), required<&Problem::title>("title"),
           required<&Problem::status>("status"), required<&Problem::detail>("detail"),
           required<&Problem::code>("code", json::text<&parse_code>()));

// ---- mounts

constexpr auto kMount = fields(defaulted<&MountRequest::client>("client", kId),
                               required<&MountRequest::id>("id", kLabel));

}  // namespace

Document encode_volume_spec(const VolumeSpec& spec) { return json::write(spec, kSpec); }

Document encode_volume(const Volume& volume, const std::optional<VolumeStatus>& status) {
  Document document =
      encode_volume_spec({volume.name, volume::without_secrets(volume.options), volume.labels});
  Document state = json::write(volume, kState);
  if (status) json::append(state, json::write(*status, kStatus));
  document.add("state", std::move(state));
  return document;
}

Result<VolumeSpec> decode_volume_spec(const Json& document) {
  return json::read(document, kSpec, kStrict);
}

Document encode_mount(const MountRequest& request) { return json::write(request, kMount); }

Result<MountRequest> decode_mount(const Json& document) {
  return json::read(document, kMount, kStrict);
}

Document encode_status(const network::ServiceStatus& status, std::size_t volumes,
                       std::size_t volume_pools) {
  return json::write(StatusView{status, volumes, volume_pools}, kHostStatus);
}

Document encode_reconcile(const network::ReconcileReport& network,
                          const volume::ReconcileReport& volume) {
  return json::write(ReconcileReports{network, volume}, kReports);
}

Document encode_version(std::string_view version) { return {{"version", version}, {"api", "v1"}}; }

Document encode_problem(const Error& error, int http_status, std::string_view title) {
  return json::write(Problem{.type = fmt::format("urn:fairlead:problem:{}", to_string(error.code)),
                             .title = std::string(title),
                             .status = http_status,
                             .detail = error.text,
                             .code = error.code},
                     kProblem);
}

Result<Volume> decode_volume(const Json& document) {
  const json::Slot slot(document, kLenient);
  TRY(auto spec, json::read(slot, kSpec));
  Volume volume{.name = std::move(spec.name),
                .options = std::move(spec.options),
                .labels = std::move(spec.labels)};
  TRY(const auto whole, json::Object::of(document));
  TRY(const auto state, whole.object("state"));
  TRY_STATUS(json::read_into(json::Slot(state, kLenient), kState, volume));
  TRY(const auto snapshots, state.objects_or_empty("snapshots"));
  for (const json::Object& snapshot : snapshots) {
    TRY(auto one, decode_taken_snapshot(snapshot.raw()));
    volume.snapshots.push_back(std::move(one));
  }
  return volume;
}

Result<VolumeStatus> decode_volume_status(const Json& document) {
  TRY(const auto whole, json::Object::of(document));
  TRY(const auto state, whole.object("state"));
  TRY(auto status, json::read(json::Slot(state, kLenient), kStatus));
  TRY(status.backend, state.string("backend"));
  return status;
}

Result<network::ServiceStatus> decode_status(const Json& document) {
  TRY(auto view, json::read(document, kHostStatus, kLenient));
  return std::move(view.status);
}

Result<ReconcileReports> decode_reconcile(const Json& document) {
  return json::read(document, kReports, kLenient);
}

Result<Error> decode_problem(const Json& document) {
  TRY(auto problem, json::read(document, kProblem, kLenient));
  return Error{problem.code, 0, std::move(problem.detail)};
}

std::vector<DocumentTable> volume_tables() {
  return {{"VolumeSpec", kSpec.rows},   {"MountHint", kMountHint.rows},
          {"VolumeState", kState.rows}, {"VolumeState", kStatus.rows},
          {"LeftOut", kLeftOut.rows},   {"MountRequest", kMount.rows},
          {"Problem", kProblem.rows}};
}

}  // namespace fairlead::native
