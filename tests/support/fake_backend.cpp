#include "tests/support/fake_backend.h"

namespace fairlead::testing {

using volume::TrashState;
using volume::Volume;

namespace {
constexpr const char* kAfterCreate = "after-create";
}

void FakeBackend::fail_next(const std::string& verb, Error error, int times) {
  const std::scoped_lock hold(guard_);
  failures_.insert_or_assign(verb, std::pair(times, std::move(error)));
}

void FakeBackend::fail_after_create(Error error) { fail_next(kAfterCreate, std::move(error)); }

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

Status FakeBackend::take_failure(const std::string& verb) {
  const auto planned = failures_.find(verb);
  if (planned == failures_.end() || planned->second.first == 0) return {};
  --planned->second.first;
  return fail(planned->second.second);
}

Status FakeBackend::validate(const volume::VolumeOptions& options) const {
  if (options.size)
    return fail(Code::kUnsupported,
                "volume option \"size\" is not available with the fake backend");
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
  built_.insert(volume.id);
  return take_failure(kAfterCreate);
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
  if (built_.erase(volume.id) == 0) return {};
  TRY(const auto options, volume::parse_options(volume.options));
  trash_[{volume.id, volume.deleted}] = {volume.deleted + options.retain.count(), volume.id};
  return {};
}

Result<TrashState> FakeBackend::purge(const Volume& volume, const volume::StopRequest& stop) {
  const std::scoped_lock hold(guard_);
  TRY_STATUS(take_failure("purge"));
  const bool present = trash_.contains({volume.id, volume.deleted});
  if (present && (!users_[volume.id].empty() || (stop && stop()))) return TrashState::kLeft;
  trash_.erase({volume.id, volume.deleted});
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
  for (const std::string& id : built_)
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

}  // namespace fairlead::testing
