#include "tests/support/fake_backend.h"

#include <thread>
#include <utility>

namespace fairlead::testing {

using volume::Progress;
using volume::Snapshot;
using volume::TrashState;
using volume::Volume;

void FakeBackend::fail_next(const std::string& verb, Error error, int times) {
  const std::scoped_lock hold(guard_);
  failures_.insert_or_assign(verb, std::pair(times, std::move(error)));
}

void FakeBackend::fail_after(const std::string& verb, Error error) {
  fail_next("after-" + verb, std::move(error));
}

void FakeBackend::set_users(const std::string& id, std::string text) {
  const std::scoped_lock hold(guard_);
  users_[id] = std::move(text);
}

void FakeBackend::lose(const std::string& id) {
  const std::scoped_lock hold(guard_);
  built_.erase(id);
}

void FakeBackend::half_build(const std::string& id) {
  const std::scoped_lock hold(guard_);
  building_.insert(id);
}

std::size_t FakeBackend::leftovers() const {
  const std::scoped_lock hold(guard_);
  return building_.size() + built_.size() + trash_.size() + mounted_.size();
}

bool FakeBackend::has(const std::string& id) const {
  const std::scoped_lock hold(guard_);
  return built_.contains(id);
}

bool FakeBackend::has_trash() const {
  const std::scoped_lock hold(guard_);
  return !trash_.empty();
}

int FakeBackend::mounts() const {
  const std::scoped_lock hold(guard_);
  return static_cast<int>(mounted_.size());
}

void FakeBackend::write(const std::string& id, std::string text) {
  const std::scoped_lock hold(guard_);
  built_.at(id).now.text = std::move(text);
}

std::string FakeBackend::read(const std::string& id) const {
  const std::scoped_lock hold(guard_);
  return built_.at(id).now.text;
}

std::set<std::string> FakeBackend::snapshots(const std::string& id) const {
  const std::scoped_lock hold(guard_);
  std::set<std::string> ids;
  for (const auto& [snapshot, content] : built_.at(id).snapshots) ids.insert(snapshot);
  return ids;
}

std::optional<std::uint64_t> FakeBackend::size(const std::string& id) const {
  const std::scoped_lock hold(guard_);
  return built_.at(id).now.size;
}

void FakeBackend::copy_slowly(int steps, std::chrono::milliseconds pause) {
  const std::scoped_lock hold(guard_);
  copy_steps_ = steps;
  copy_pause_ = pause;
}

Status FakeBackend::take_late_failure(const std::string& verb) {
  return take_failure("after-" + verb);
}

Result<FakeBackend::Data*> FakeBackend::find_data(const Volume& volume) {
  const auto found = built_.find(volume.id);
  if (found == built_.end())
    return fail(Code::kIo, "the data folder of volume {} is missing", volume.id);
  return &found->second;
}

Status FakeBackend::copy(const Progress& progress) {
  std::unique_lock hold(guard_);
  const auto steps = static_cast<std::uint64_t>(copy_steps_);
  const auto pause = copy_pause_;
  hold.unlock();
  for (std::uint64_t step = 0; step < steps; ++step) {
    std::this_thread::sleep_for(pause);
    if (progress && !progress(step + 1, steps)) return fail(Code::kUnavailable, "it was stopped");
  }
  return {};
}

Status FakeBackend::take_failure(const std::string& verb) {
  const auto planned = failures_.find(verb);
  if (planned == failures_.end() || planned->second.first == 0) return {};
  --planned->second.first;
  return fail(planned->second.second);
}

Status FakeBackend::validate(const volume::VolumeOptions& options) const {
  if (options.inodes)
    return fail(Code::kUnsupported,
                "volume option \"inodes\" is not available with the fake backend");
  return {};
}

Status FakeBackend::create(const Volume& volume, Rollback& undo) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("create"));
  undo.push([this, id = volume.id] {
    const std::scoped_lock undoing(guard_);
    built_.erase(id);
  });
  building_.erase(volume.id);
  built_.try_emplace(volume.id,
                     Data{.now = {.text = {}, .size = volume.options.size}, .snapshots = {}});
  return take_late_failure("create");
}

Status FakeBackend::discard(const Volume& volume) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("discard"));
  building_.erase(volume.id);
  built_.erase(volume.id);
  return {};
}

Status FakeBackend::remove(const Volume& volume) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("remove"));
  mounted_.erase(volume.id);
  const auto found = built_.find(volume.id);
  if (found == built_.end()) return {};
  trash_[{volume.id, volume.deleted}] = {volume.deleted + volume.options.retain.count(), volume.id,
                                         std::move(found->second)};
  built_.erase(found);
  return take_late_failure("remove");
}

Result<TrashState> FakeBackend::purge(const Volume& volume, const volume::StopRequest& stop) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("purge"));
  const bool present = trash_.contains({volume.id, volume.deleted});
  if (present && (!users_[volume.id].empty() || (stop && stop()))) return TrashState::kLeft;
  trash_.erase({volume.id, volume.deleted});
  TRY_STATUS(take_late_failure("purge"));
  return TrashState::kEmptied;
}

std::string FakeBackend::data_path(const Volume& volume) const {
  return "/fake/" + volume.id + "/_data";
}

Result<std::string> FakeBackend::mount(const Volume& volume) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("mount"));
  if (!built_.contains(volume.id))
    return fail(Code::kIo, "the data folder of volume {} is missing", volume.id);
  mounted_.insert(volume.id);
  return data_path(volume);
}

Status FakeBackend::unmount(const Volume& volume) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("unmount"));
  mounted_.erase(volume.id);
  return {};
}

Result<std::string> FakeBackend::users(const Volume& volume) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("users"));
  return built_.contains(volume.id) ? users_[volume.id] : "";
}

Result<volume::VolumeStatus> FakeBackend::status(const Volume& volume) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("status"));
  volume::VolumeStatus status{.backend = "fake", .health = "ok"};
  if (built_.contains(volume.id))
    status.in_use = !users_[volume.id].empty();
  else
    status.health = "the data folder is missing";
  if (const auto found = built_.find(volume.id); found != built_.end())
    status.size = found->second.now.size;
  return status;
}

volume::ReconcileReport FakeBackend::sweep(
    long long now, const std::function<Result<bool>(const std::string& id)>& is_known,
    const volume::StopRequest&) {
  volume::ReconcileReport report;
  const std::scoped_lock hold(guard_);
  std::erase_if(building_, [&](const std::string& id) {
    const auto known = is_known(id);
    if (!known || *known) return false;
    report.actions.push_back("removed the half-built volume " + id);
    return true;
  });
  for (const auto& [id, data] : built_)
    if (const auto known = is_known(id); known && !*known)
      report.failures.push_back(id +
                                " belongs to no volume that Fairlead knows; it was left alone");
  std::erase_if(trash_, [&](const auto& entry) {
    if (entry.second.due > now || !users_[entry.second.id].empty()) return false;
    report.actions.push_back("emptied the trash of volume " + entry.second.id);
    return true;
  });
  return report;
}

Status FakeBackend::resize(const Volume& volume, std::uint64_t size) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("resize"));
  TRY(Data* const data, find_data(volume));
  if (size < data->now.text.size())
    return fail(Code::kExhausted, "{} bytes are used", data->now.text.size());
  data->now.size = size;
  return take_late_failure("resize");
}

Status FakeBackend::take_snapshot(const Volume& volume, const Snapshot& snapshot,
                                  const Progress& progress) {
  TRY_STATUS(copy(progress));
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("snapshot"));
  TRY(Data* const data, find_data(volume));
  data->snapshots.try_emplace(snapshot.id, data->now);
  return take_late_failure("snapshot");
}

Status FakeBackend::drop_snapshot(const Volume& volume, const std::string& snapshot_id) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("drop"));
  if (const auto found = built_.find(volume.id); found != built_.end())
    found->second.snapshots.erase(snapshot_id);
  return take_late_failure("drop");
}

Status FakeBackend::roll_back(const Volume& volume, const Snapshot& snapshot, const Snapshot& kept,
                              const Progress& progress) {
  TRY_STATUS(copy(progress));
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("rollback"));
  if (on_roll_back_)
    if (auto failed = on_roll_back_(); !failed) {
      mounted_.erase(volume.id);
      return failed;
    }
  TRY(Data* const data, find_data(volume));
  if (!users_[volume.id].empty()) return fail(Code::kInUse, "{}", users_[volume.id]);
  mounted_.erase(volume.id);
  if (data->snapshots.contains(kept.id)) return {};
  const auto found = data->snapshots.find(snapshot.id);
  if (found == data->snapshots.end())
    return fail(Code::kNotFound, "snapshot {} is missing", snapshot.id);
  const Content back = found->second;
  data->snapshots.emplace(kept.id, std::exchange(data->now, back));
  return take_late_failure("rollback");
}

Status FakeBackend::clone(const Volume& volume, const Volume& source,
                          const std::string& snapshot_id, Rollback& undo,
                          const Progress& progress) {
  {
    const std::scoped_lock hold(guard_);
    TRY_STATUS(take_failure("clone"));
    building_.insert(volume.id);
  }
  undo.push([this, id = volume.id] {
    const std::scoped_lock undoing(guard_);
    building_.erase(id);
    built_.erase(id);
  });
  TRY_STATUS(copy(progress));
  const std::scoped_lock hold(guard_);
  TRY(Data* const data, find_data(source));
  const auto snapshot = data->snapshots.find(snapshot_id);
  if (!snapshot_id.empty() && snapshot == data->snapshots.end())
    return fail(Code::kNotFound, "snapshot {} is missing", snapshot_id);
  Content content = snapshot_id.empty() ? data->now : snapshot->second;
  content.size = volume.options.size;
  building_.erase(volume.id);
  built_.try_emplace(volume.id, Data{.now = std::move(content), .snapshots = {}});
  return take_late_failure("clone");
}

Result<volume::CheckReport> FakeBackend::check(const Volume& volume, bool,
                                               const Progress& progress) {
  TRY_STATUS(copy(progress));
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("check"));
  TRY([[maybe_unused]] Data* const data, find_data(volume));
  return volume::CheckReport{.clean = true, .findings = {}};
}

Status FakeBackend::restore(const Volume& volume) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("restore"));
  if (built_.contains(volume.id)) return {};
  const auto found = trash_.find({volume.id, volume.deleted});
  if (found == trash_.end())
    return fail(Code::kNotFound, "the trash of volume {} was emptied", volume.id);
  built_.emplace(volume.id, std::move(found->second.data));
  trash_.erase(found);
  return take_late_failure("restore");
}

void FakeBackend::set_snapshot_users(const std::string& snapshot_id, std::string text) {
  const std::scoped_lock hold(guard_);
  snapshot_users_[snapshot_id] = std::move(text);
}

Result<std::string> FakeBackend::mount_snapshot(const Volume& volume,
                                                const std::string& snapshot_id) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("mount-snapshot"));
  TRY(Data* const data, find_data(volume));
  if (!data->snapshots.contains(snapshot_id))
    return fail(Code::kNotFound, "snapshot {} is missing", snapshot_id);
  mounted_snapshots_.insert(snapshot_id);
  return snapshot_path(volume, snapshot_id);
}

Status FakeBackend::unmount_snapshot(const Volume&, const std::string& snapshot_id) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("unmount-snapshot"));
  mounted_snapshots_.erase(snapshot_id);
  return {};
}

std::string FakeBackend::snapshot_path(const Volume& volume, const std::string& snapshot_id) const {
  return "/fake/" + volume.id + "/views/" + snapshot_id + "/_data";
}

Result<std::vector<std::string>> FakeBackend::mounted_snapshots(const Volume& volume) {
  const std::scoped_lock hold(guard_);
  std::vector<std::string> ids;
  const auto found = built_.find(volume.id);
  for (const std::string& id : mounted_snapshots_)
    if (found != built_.end() && found->second.snapshots.contains(id)) ids.push_back(id);
  return ids;
}

Result<std::string> FakeBackend::snapshot_users(const Volume& volume,
                                                const std::string& snapshot_id) {
  const std::scoped_lock hold(guard_);
  const auto found = built_.find(volume.id);
  if (found == built_.end()) return std::string();
  for (const auto& [id, content] : found->second.snapshots)
    if ((snapshot_id.empty() || id == snapshot_id) && !snapshot_users_[id].empty())
      return snapshot_users_[id];
  return std::string();
}

}  // namespace fairlead::testing
