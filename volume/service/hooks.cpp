#include "volume/service/hooks.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"

namespace fairlead::volume {

namespace {

// Those that somebody has mounted. What cannot be looked at is not asked about: the snapshot itself
// will say why.
std::vector<Volume> in_use(LockedVolumes& volumes, const std::vector<VolumeName>& names) {
  std::vector<Volume> found;
  for (const VolumeName& name : names) {
    const auto stored = volumes.ready(name);
    if (!stored || !*stored) continue;
    const Volume& volume = (*stored)->volume;
    const auto backend = volumes.backends().find(volume);
    if (!backend) continue;
    const auto users = (*backend)->users(volume);
    if (users && !users->empty()) found.push_back(volume);
  }
  std::ranges::sort(found, {}, [](const Volume& volume) { return volume.name.str(); });
  return found;
}

}  // namespace

Result<HooksAround> HooksAround::begin(LockedVolumes& volumes, const std::vector<VolumeName>& names,
                                       const std::string& verb, const std::string& snapshot,
                                       const Progress& progress) {
  HooksAround around;
  if (volumes.hooks() == nullptr) return around;
  std::vector<Volume> used = in_use(volumes, names);
  if (used.empty()) return around;
  auto run = volumes.hooks()->find({.volumes = used, .verb = verb, .snapshot = snapshot});
  if (!run && verb == "schedule") {  // one without hooks is better than none
    log::warn("a snapshot is taken without hooks", {{"error", run.error().text}});
    return around;
  }
  if (!run) return fail(run.error());
  if (*run == nullptr) return around;
  std::ranges::sort(used, {}, &Volume::id);  // the order of their locks
  for (const Volume& volume : used) {
    TRY(auto lock, volumes.lock_hooks(volume));
    around.locks_.push_back(std::move(lock));
  }
  around.run_ = std::move(*run);
  TRY_STATUS(around.run_->before(progress));
  fault_point("volume.hooks.before");
  return around;
}

void HooksAround::end(bool taken) {
  if (run_ == nullptr) return;
  using Outcome = ContainerHooks::Run::Outcome;
  run_->after(taken ? Outcome::kTaken : Outcome::kFailed);
  run_.reset();
  locks_.clear();
}

HooksAround::~HooksAround() { end(false); }

}  // namespace fairlead::volume
