#include "base/host.h"
#include "plugin-api/native/fields.h"

namespace fairlead::native {

namespace {

Document encode_hints(const std::vector<volume::MountHint>& hints) {
  Document list = Document::array();
  for (const volume::MountHint& hint : hints)
    list.push_back({{"client", hint.client}, {"id", hint.id}, {"count", hint.count}});
  return list;
}

void add_status(Document& state, const volume::VolumeStatus& status) {
  if (!status.reason.empty()) state["reason"] = status.reason;
  if (status.size) state["size"] = *status.size;
  if (status.used) state["used"] = *status.used;
  if (status.inodes) state["inodes"] = *status.inodes;
  if (status.inodes_used) state["inodes_used"] = *status.inodes_used;
  if (status.in_use) state["in_use"] = *status.in_use;
  if (!status.users.empty()) state["users"] = status.users;
  state["health"] = status.health;
}

Document encode_report(const std::vector<std::string>& actions,
                       const std::vector<std::string>& failures) {
  return {{"actions", actions}, {"failures", failures}};
}

}  // namespace

Document encode_volume_spec(const volume::VolumeSpec& spec) {
  return {{"name", spec.name.str()}, {"options", spec.options}, {"labels", spec.labels}};
}

Document encode_volume(const volume::Volume& volume,
                       const std::optional<volume::VolumeStatus>& status) {
  Document document = encode_volume_spec({volume.name, volume.options, volume.labels});
  Document state = {{"id", volume.id}, {"backend", volume.backend}};
  if (!volume.pool.empty()) state["pool"] = volume.pool;
  state["mountpoint"] = volume.mountpoint;
  state["phase"] = volume::to_string(volume.phase);
  state["created"] = rfc3339(volume.created);
  state["mounts"] = encode_hints(volume.mounts);
  state["snapshots"] = Document::array();
  for (const volume::Snapshot& snapshot : volume.snapshots)
    state["snapshots"].push_back(encode_snapshot(volume.name, snapshot));
  if (volume.backed_up > 0) state["last_backup"] = rfc3339(volume.backed_up);
  if (status) add_status(state, *status);
  document["state"] = std::move(state);
  return document;
}

Result<volume::VolumeSpec> decode_volume_spec(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(object, {"name", "options", "labels", "state"}));
  volume::VolumeSpec spec;
  TRY(spec.name, parsed(object, "name", VolumeName::parse));
  TRY(spec.options, strings(object, "options"));
  TRY(spec.labels, strings(object, "labels"));
  return spec;
}

Result<MountRequest> decode_mount(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(object, {"client", "id"}));
  MountRequest request;
  TRY(auto client, parsed_or_none(object, "client", parse_id));
  request.client = client.value_or("api");
  TRY(request.id, parsed(object, "id", parse_label));
  return request;
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

}  // namespace fairlead::native
