// Verbs for snapshots, and those that read or replace the content of a volume.
#include <algorithm>

#include "plugin-api/native/operations.h"
#include "plugin-api/native/request_deadline.h"

namespace fairlead::native {

namespace {

// What a snapshot holds is left out where it cannot be told; the list is answered all the same.
void add_snapshots(const Core& core, Document& list, const volume::Volume& volume) {
  if (volume.snapshots.empty()) return;
  const auto space = core.volumes.snapshot_space(volume.name.str());
  for (const volume::Snapshot& snapshot : volume.snapshots) {
    std::optional<std::uint64_t> only_here;
    if (space)
      if (const auto found = space->find(snapshot.id); found != space->end())
        only_here = found->second;
    list.push_back(encode_snapshot(volume.name, snapshot, only_here));
  }
}

const volume::Snapshot* find_snapshot(const volume::Volume& volume, const std::string& name) {
  const auto found = std::ranges::find(volume.snapshots, name,
                                       [](const volume::Snapshot& one) { return one.name.str(); });
  return found == volume.snapshots.end() ? nullptr : &*found;
}

}  // namespace

Result<Answer> list_snapshots(const Core& core, const Call&) {
  TRY(auto volumes, core.volumes.list());
  Document list = Document::array();
  for (const volume::Volume& volume : volumes) add_snapshots(core, list, volume);
  return Answer{kOk, {{"snapshots", std::move(list)}}};
}

Result<Answer> list_snapshots_of(const Core& core, const Call& call) {
  TRY(auto volume, core.volumes.inspect(call.params[0]));
  Document list = Document::array();
  add_snapshots(core, list, volume);
  return Answer{kOk, {{"snapshots", std::move(list)}}};
}

// Idempotent by name, as every POST. Without a name each call makes a new snapshot.
Result<Answer> create_snapshot(const Core& core, const Call& call) {
  TRY(auto name, decode_snapshot(call.body));
  TRY(auto volume, core.volumes.inspect(call.params[0]));
  if (const auto* there = name.empty() ? nullptr : find_snapshot(volume, name))
    return Answer{kOk, encode_snapshot(volume.name, *there)};
  RequestDeadline deadline(core.request_deadline);
  const auto taken = core.volumes.take_snapshot(call.params[0], name, deadline.progress());
  if (!taken)
    return fail(deadline.explain(
        taken.error(), fmt::format("fairlead snapshot create {} {}", call.params[0], name)));
  return Answer{kCreated, encode_snapshot(volume.name, *taken)};
}

Result<Answer> get_snapshot(const Core& core, const Call& call) {
  TRY(const auto view, core.volumes.inspect_snapshot(call.params[0], call.params[1]));
  return Answer{kOk, encode_view(view)};
}

// What was mounted for a client that has hung up meanwhile is unmounted, as with volumes.
Result<Answer> mount_snapshot(const Core& core, const Call& call) {
  TRY(auto request, decode_mount(call.body));
  const auto nobody_waits = fail(Code::kUnavailable, "the client hung up: nothing was mounted");
  if (call.hung_up()) return nobody_waits;
  TRY(const auto view,
      core.volumes.mount_snapshot(call.params[0], call.params[1], request.client, request.id));
  if (call.hung_up()) {
    TRY_STATUS(
        core.volumes.unmount_snapshot(call.params[0], call.params[1], request.client, request.id));
    return nobody_waits;
  }
  return Answer{kOk, encode_view(view)};
}

Result<Answer> unmount_snapshot(const Core& core, const Call& call) {
  TRY(auto request, decode_mount(call.body));
  TRY_STATUS(
      core.volumes.unmount_snapshot(call.params[0], call.params[1], request.client, request.id));
  return Answer{kNoContent, {}};
}

Result<Answer> delete_snapshot(const Core& core, const Call& call) {
  TRY_STATUS(core.volumes.drop_snapshot(call.params[0], call.params[1]));
  return Answer{kNoContent, {}};
}

Result<Answer> roll_back(const Core& core, const Call& call) {
  TRY(auto snapshot, decode_rollback(call.body));
  TRY(auto volume, core.volumes.inspect(call.params[0]));
  RequestDeadline deadline(core.request_deadline);
  const auto kept = core.volumes.roll_back(call.params[0], snapshot.str(), deadline.progress());
  if (!kept)
    return fail(deadline.explain(kept.error(), fmt::format("fairlead volume rollback {} {}",
                                                           call.params[0], snapshot.str())));
  return Answer{kOk, encode_snapshot(volume.name, *kept)};
}

Result<Answer> get_usage(const Core& core, const Call& call) {
  RequestDeadline deadline(core.request_deadline);
  const auto usage = core.volumes.usage(call.params[0], deadline.progress());
  if (!usage)
    return fail(deadline.explain(usage.error(), "fairlead volume usage " + call.params[0]));
  return Answer{kOk, encode_usage(*usage)};
}

Result<Answer> check_volume(const Core& core, const Call& call) {
  TRY(auto repair, decode_check(call.body));
  RequestDeadline deadline(core.request_deadline);
  const auto report = core.volumes.check(call.params[0], repair, deadline.progress());
  if (!report)
    return fail(deadline.explain(
        report.error(),
        fmt::format("fairlead volume check {}{}", call.params[0], repair ? " --repair" : "")));
  return Answer{kOk, encode_check(*report)};
}

}  // namespace fairlead::native
