// VolumeService over the API: each verb is one request.
#include <fmt/format.h>

#include "plugin-api/client/daemon_api.h"
#include "plugin-api/native/codec.h"

namespace fairlead::client {

namespace {

using native::VolumeChange;
using volume::Progress;
using volume::Snapshot;
using volume::Volume;
using volume::VolumeSpec;
using volume::VolumeStatus;

constexpr int kCreated = 201;

std::string volume_path(const std::string& name) { return path_of({"volumes", name}); }

std::string snapshot_path(const std::string& name, const std::string& snapshot) {
  return path_of({"volumes", name, "snapshots", snapshot});
}

Result<SnapshotName> snapshot_name(const std::string& name) {
  return name.empty() ? SnapshotName() : SnapshotName::parse(name);
}

class RemoteVolumes : public volume::VolumeService {
 public:
  RemoteVolumes(const std::string& socket_path, const ClientOptions& options)
      : api_(socket_path, options) {}

  Result<Volume> create(const VolumeSpec& spec, const Progress&) override {
    return decoded(api_.post("/v1/volumes", native::encode_volume_spec(spec)));
  }
  Status remove(const std::string& name) override { return api_.remove(volume_path(name)); }

  Result<Volume> mount(const std::string& name, const std::string& client,
                       const std::string& id) override {
    return decoded(api_.post(volume_path(name) + "/mount", native::encode_mount({client, id})));
  }
  Status unmount(const std::string& name, const std::string& client,
                 const std::string& id) override {
    return status_of(api_.post(volume_path(name) + "/unmount", native::encode_mount({client, id})));
  }

  Result<Volume> inspect(const std::string& name) override {
    return decoded(api_.get(volume_path(name)));
  }
  Result<std::vector<Volume>> list() override {
    TRY(const auto document, api_.get("/v1/volumes"));
    return decode_all(document, "volumes", native::decode_volume);
  }
  Result<VolumeStatus> status(const Volume& volume) override {
    TRY(const auto document, api_.get(volume_path(volume.name.str())));
    return understand(document, native::decode_volume_status);
  }
  // The daemon reconciles networks and volumes together.
  Result<volume::ReconcileReport> reconcile() override {
    TRY(const auto document, api_.post("/v1/reconcile"));
    TRY(auto reports, understand(document, native::decode_reconcile));
    return std::move(reports.volume);
  }

  Result<Volume> rename(const std::string& name, const std::string& to) override {
    TRY(auto wanted, VolumeName::parse(to));
    return change(name, {.name = std::move(wanted), .labels = {}, .size = {}});
  }
  Result<Volume> set_labels(
      const std::string& name,
      const std::map<std::string, std::optional<std::string>>& labels) override {
    if (labels.empty()) return inspect(name);
    return change(name, {.name = {}, .labels = labels, .size = {}});
  }
  Result<Volume> set_options(const std::string& name,
                             const std::map<std::string, std::optional<std::string>>&) override {
    return fail(Code::kUnsupported,
                "set options of volume \"{}\": use the command line (fairlead volume set)", name);
  }
  Result<Volume> resize(const std::string& name, std::uint64_t size) override {
    return change(name, {.name = {}, .labels = {}, .size = size});
  }

  // Over the API a repetition is no error; here it is one.
  Result<Snapshot> take_snapshot(const std::string& name, const std::string& snapshot,
                                 const Progress&) override {
    TRY(const auto wanted, snapshot_name(snapshot));
    TRY(const auto reply, api_.call("POST", volume_path(name) + "/snapshots",
                                    native::encode_snapshot_request(wanted)));
    if (reply.status != kCreated)
      return fail(Code::kExists, "snapshot volume \"{}\": there is a snapshot \"{}\" already", name,
                  snapshot);
    return understand(reply.document, native::decode_taken_snapshot);
  }
  Result<Snapshot> take_archive_snapshot(const std::string& name) override {
    return fail(Code::kUnsupported,
                "snapshot volume \"{}\" for an archive: the process that reads the archive has to "
                "hold its lock; use `fairlead volume export` or `backup`",
                name);
  }
  Status drop_snapshot(const std::string& name, const std::string& snapshot) override {
    return api_.remove(snapshot_path(name, snapshot));
  }
  Result<Snapshot> roll_back(const std::string& name, const std::string& snapshot,
                             const Progress&) override {
    TRY(const auto wanted, SnapshotName::parse(snapshot));
    TRY(const auto document,
        api_.post(volume_path(name) + "/rollback", native::encode_rollback(wanted)));
    return understand(document, native::decode_taken_snapshot);
  }
  Result<volume::SnapshotView> mount_snapshot(const std::string& name, const std::string& snapshot,
                                              const std::string& client,
                                              const std::string& id) override {
    TRY(const auto document,
        api_.post(snapshot_path(name, snapshot) + "/mount", native::encode_mount({client, id})));
    return understand(document, native::decode_view);
  }
  Status unmount_snapshot(const std::string& name, const std::string& snapshot,
                          const std::string& client, const std::string& id) override {
    return status_of(
        api_.post(snapshot_path(name, snapshot) + "/unmount", native::encode_mount({client, id})));
  }
  Result<volume::SnapshotView> inspect_snapshot(const std::string& name,
                                                const std::string& snapshot) override {
    TRY(const auto document, api_.get(snapshot_path(name, snapshot)));
    return understand(document, native::decode_view);
  }
  Result<std::map<std::string, std::uint64_t>> snapshot_space(const std::string& name) override {
    TRY(const auto document, api_.get(volume_path(name) + "/snapshots"));
    TRY(const auto all, decode_all(document, "snapshots", native::decode_space));
    std::map<std::string, std::uint64_t> space;
    for (const native::SnapshotSpace& one : all)
      if (one.only_here) space[one.id] = *one.only_here;
    return space;
  }
  Result<VolumeStatus> usage(const std::string& name, const Progress&) override {
    TRY(const auto document, api_.get(volume_path(name) + "/usage"));
    return understand(document, native::decode_usage);
  }
  Result<volume::CheckReport> check(const std::string& name, bool repair,
                                    const Progress&) override {
    TRY(const auto document,
        api_.post(volume_path(name) + "/check", native::encode_check_request(repair)));
    return understand(document, native::decode_check_report);
  }

  Result<std::vector<volume::TrashedVolume>> trash() override {
    TRY(const auto document, api_.get("/v1/trash"));
    return decode_all(document, "trash", native::decode_trashed);
  }
  Result<Volume> restore_from_trash(const std::string& name_or_id, const std::string& as) override {
    VolumeName name;
    if (!as.empty()) {
      TRY(name, VolumeName::parse(as));
    }
    return decoded(
        api_.post(path_of({"trash", name_or_id, "restore"}), native::encode_trash_restore(name)));
  }
  // Over the API what stays because it is mounted is an error for one volume; here it is a count.
  Result<std::size_t> empty_trash(const std::string& name_or_id) override {
    if (name_or_id.empty()) {
      TRY(const auto reply, api_.call("DELETE", "/v1/trash"));
      return understand(reply.document, native::decode_removed);
    }
    const Status removed = api_.remove(path_of({"trash", name_or_id}));
    if (removed) return std::size_t{1};
    if (removed.error().code == Code::kInUse) return std::size_t{0};
    return fail(removed.error());
  }

  Result<volume::ReconcileReport> keep_schedules() override {
    return fail(Code::kUnsupported, "keep schedules: fairleadd does so by itself, every minute");
  }

 private:
  static Result<Volume> decoded(Result<json::Json> document) {
    if (!document) return fail(document.error());
    return understand(*document, native::decode_volume);
  }
  Result<Volume> change(const std::string& name, const VolumeChange& wanted) {
    TRY(const auto reply,
        api_.call("PATCH", volume_path(name), native::encode_volume_change(wanted)));
    return understand(reply.document, native::decode_volume);
  }

  DaemonApi api_;
};

}  // namespace

std::unique_ptr<volume::VolumeService> make_remote_volume_service(const std::string& socket_path,
                                                                  const ClientOptions& options) {
  return std::make_unique<RemoteVolumes>(socket_path, options);
}

}  // namespace fairlead::client
