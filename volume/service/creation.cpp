#include "volume/service/creation.h"

#include "base/fault.h"
#include "base/log.h"
#include "volume/service/backup_plans.h"
#include "volume/service/new_volume.h"

namespace fairlead::volume {

namespace {

// Equal for plans that ask for the same.
std::string text_of(const CreatePlan& plan) {
  std::string text;
  for (const auto& [key, value] : to_map(plan.options)) text += key + '=' + value + '\n';
  for (const auto& [key, value] : plan.labels) text += "label." + key + '=' + value + '\n';
  return text;
}

JobRun::Task clone_task(const CreatePlan& plan) {
  JobRun::Task task{.verb = "clone", .volume = plan.name.str(), .arguments = to_map(plan.options)};
  for (const auto& [key, value] : plan.labels) task.arguments["label." + key] = value;
  return task;
}

Result<std::vector<std::string>> admit(LockedVolumes& volumes, const CreatePlan& plan) {
  Backend& backend = *plan.choice.backend;
  if (!plan.options.size || !backend.promises(plan.options)) return std::vector<std::string>();
  return volumes.admit(backend, *plan.options.size);
}

Result<std::string> snapshot_id(const Volume& source, const std::string& name) {
  if (name.empty()) return std::string();
  if (const Snapshot* const found = find_snapshot(source, name)) return found->id;
  return fail(Code::kNotFound, "volume \"{}\" has no snapshot \"{}\"", source.name.str(), name);
}

}  // namespace

void Creation::abandon(const Volume& volume) {
  if (auto gone = removal_.abandon(volume); !gone)
    log::warn("a create that failed is left to reconcile",
              {{"volume", volume.name.str()}, {"error", gone.error().text}});
}

// The one commit is the intent and the result: the data follows from it, and is made by whoever finds
// it missing (Changes::settle_data). So the answer waits for one flush, that of the store.
Result<Volume> Creation::build_unflushed(const CreatePlan& plan) {
  TRY_STATUS(lost_.refuse(plan.name));
  Volume volume = volume_of(plan, volumes_.now());
  volume.phase = Phase::kReady;
  TRY(const auto stored, volumes_.records().add(Stored{.volume = volume, .unflushed = true}));
  fault_point("volume.create.intent");
  Rollback undo;
  undo.push([this, volume] { abandon(volume); });
  TRY_STATUS(plan.choice.backend->create_unflushed(volume, undo));
  fault_point("volume.create.built");
  undo.commit();
  return volumes_.with_path(std::move(volume));
}

Result<Volume> Creation::build(const CreatePlan& plan, const Maker& make) {
  TRY_STATUS(lost_.refuse(plan.name));
  TRY(auto warnings, admit(volumes_, plan));
  const Volume volume = volume_of(plan, volumes_.now());
  TRY(auto stored, volumes_.records().add(volume));
  fault_point("volume.create.intent");
  Rollback undo;
  undo.push([this, volume] { abandon(volume); });
  TRY_STATUS(make(*plan.choice.backend, volume, undo));
  fault_point("volume.create.built");
  stored.volume.phase = Phase::kReady;
  TRY_STATUS(volumes_.records().put(stored, state::Durability::kDurable));
  undo.commit();
  fault_point("volume.create.ready");
  stored.volume.warnings = std::move(warnings);
  return volumes_.with_path(std::move(stored.volume));
}

// A create that was killed may have made nothing but the record. Nobody waits for the disk here.
Status Creation::make_sure(const Stored& there) {
  if (!there.unflushed) return {};
  TRY(Backend* const backend, volumes_.backends().find(there.volume));
  Rollback kept;
  const auto made = backend->create_unflushed(there.volume, kept);
  kept.commit();
  return made;
}

// The existing volume of that name, which the caller has locked; kConflict when it differs from the
// plan. Removes what a crash left under the name.
Result<std::optional<Volume>> Creation::existing(const CreatePlan& plan) {
  TRY(auto there, volumes_.records().by_name(plan.name));
  if (!there) return std::nullopt;
  if (there->volume.phase != Phase::kReady) {
    TRY_STATUS(removal_.clear_leftovers(*there));
    return std::nullopt;
  }
  const std::string differs = difference(there->volume, plan);
  if (!differs.empty())
    return fail(Code::kConflict,
                "it exists with other options: {}; remove it first, or use another name", differs);
  TRY_STATUS(make_sure(*there));
  return volumes_.with_path(std::move(there->volume));
}

Result<Volume> Creation::create_new(CreatePlan plan) {
  TRY_STATUS(choose_backend(plan, volumes_.backends()));
  TRY(const auto guard, volumes_.lock(plan.name));
  TRY(auto there, existing(plan));
  if (there) return std::move(*there);
  if (plan.choice.backend->follows_from_record(plan.options)) return build_unflushed(plan);
  return build(plan, [](Backend& backend, const Volume& volume, Rollback& undo) {
    return backend.create(volume, undo);
  });
}

// A snapshot does not change, so its volume may be mounted while it is copied. The present content
// is copied under the lock of the source, which a mount has to wait for.
Result<Volume> Creation::clone(CreatePlan plan, const Progress& progress) {
  TRY(const auto source_name, VolumeName::parse(plan.options.from_volume));
  TRY(auto guards, volumes_.lock_both(plan.name, source_name));
  TRY(auto there, existing(plan));
  if (there) return std::move(*there);
  TRY(const auto source, changes_.open(source_name));
  TRY(const auto snapshot, snapshot_id(source.stored.volume, plan.options.from_snapshot));
  TRY_STATUS(choose_as(plan, source.stored.volume, volumes_.backends()));
  TRY(const auto content, volumes_.lock_content(source.stored.volume, kLockDeadline));
  if (!snapshot.empty()) guards[1].reset();
  JobRun run(volumes_.jobs(), clone_task(plan), progress, JobSeen::kWhenLong);
  return run.end(build(plan, [&](Backend& backend, const Volume& volume, Rollback& undo) {
    return backend.clone(volume, source.stored.volume, snapshot, undo, run.progress());
  }));
}

// For callers that take no progress: Docker and Podman.
Result<Volume> Creation::clone_behind(const CreatePlan& plan) {
  TRY(auto there, volumes_.ready(plan.name));
  if (there) {
    const std::string differs = difference(there->volume, plan);
    if (differs.empty()) return volumes_.with_path(std::move(there->volume));
  }
  return clone_jobs_.wait_for(
      plan.name.str(), text_of(plan),
      [this, plan](const Progress& progress) { return clone(plan, progress); }, kLockDeadline);
}

// Not of a volume that is there: it has its option, whatever was listed or kept since then.
Status Creation::check_backup(const CreatePlan& plan) {
  TRY(const auto there, volumes_.ready(plan.name));
  return there ? Status() : check_backup_plan(plan.options, volumes_.backup_roots());
}

Result<Volume> Creation::create(const VolumeSpec& spec, const Progress& progress) {
  const auto run = [&]() -> Result<Volume> {
    TRY(auto plan, plan_create(spec));
    TRY_STATUS(check_backup(plan));
    if (plan.options.from_volume.empty()) return create_new(std::move(plan));
    return progress ? clone(std::move(plan), progress) : clone_behind(plan);
  };
  return in_context(run(), "create", spec.name.str());
}

}  // namespace fairlead::volume
