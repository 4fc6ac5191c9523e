#include "plugin-api/native/operations.h"

namespace fairlead::native {

namespace {
Result<Document> encode_with_status(const Core& core, const volume::Volume& volume) {
  TRY(auto status, core.volumes.status(volume));
  return encode_volume(volume, status);
}
}  // namespace

Result<Answer> list_volumes(const Core& core, const Call&) {
  TRY(auto volumes, core.volumes.list());
  Document list = Document::array();
  for (const volume::Volume& volume : volumes) {
    TRY(auto document, encode_with_status(core, volume));
    list.push_back(std::move(document));
  }
  return Answer{kOk, {{"volumes", std::move(list)}}};
}

Result<Answer> create_volume(const Core& core, const Call& call) {
  TRY(auto spec, decode_volume_spec(call.body));
  const auto before = core.volumes.inspect(spec.name.str());
  const bool existed = before && before->phase == volume::Phase::kReady;
  TRY(auto volume, core.volumes.create(spec));
  return Answer{created_or_ok(existed), encode_volume(volume)};
}

Result<Answer> get_volume(const Core& core, const Call& call) {
  TRY(auto volume, core.volumes.inspect(call.params[0]));
  TRY(auto document, encode_with_status(core, volume));
  return Answer{kOk, std::move(document)};
}

Result<Answer> delete_volume(const Core& core, const Call& call) {
  TRY_STATUS(core.volumes.remove(call.params[0]));
  return Answer{kNoContent, {}};
}

// The size is changed first, because it may be refused while a name and labels are not.
Result<Answer> change_volume(const Core& core, const Call& call) {
  TRY(auto change, decode_volume_change(call.body));
  const std::string& name = call.params[0];
  TRY(auto volume, core.volumes.inspect(name));
  if (change.size) {
    TRY(volume, core.volumes.resize(name, *change.size));
  }
  if (!change.labels.empty()) {
    TRY(volume, core.volumes.set_labels(name, change.labels));
  }
  if (change.name && *change.name != volume.name) {
    TRY(volume, core.volumes.rename(name, change.name->str()));
  }
  TRY(auto document, encode_with_status(core, volume));
  return Answer{kOk, std::move(document)};
}

// What was mounted for a client that has hung up meanwhile is unmounted, as with endpoints.
Result<Answer> mount_volume(const Core& core, const Call& call) {
  TRY(auto request, decode_mount(call.body));
  const auto nobody_waits = fail(Code::kUnavailable, "the client hung up: nothing was mounted");
  if (call.hung_up()) return nobody_waits;
  TRY(auto volume, core.volumes.mount(call.params[0], request.client, request.id));
  if (call.hung_up()) {
    TRY_STATUS(core.volumes.unmount(call.params[0], request.client, request.id));
    return nobody_waits;
  }
  return Answer{kOk, encode_volume(volume)};
}

Result<Answer> unmount_volume(const Core& core, const Call& call) {
  TRY(auto request, decode_mount(call.body));
  TRY_STATUS(core.volumes.unmount(call.params[0], request.client, request.id));
  return Answer{kNoContent, {}};
}

}  // namespace fairlead::native
