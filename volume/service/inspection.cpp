#include "volume/service/inspection.h"

#include <algorithm>

#include "base/log.h"
#include "volume/service/backup_plans.h"

namespace fairlead::volume {

Result<Volume> Inspection::inspect(const std::string& name) {
  TRY(const auto parsed, VolumeName::parse(name));
  TRY(auto stored, volumes_.ready(parsed));
  if (!stored) return no_such_volume(parsed);
  return volumes_.with_path(std::move(stored->volume));
}

Result<std::vector<Volume>> Inspection::list() {
  TRY(auto listing, volumes_.records().all());
  for (const std::string& trouble : listing.unreadable)
    log::error("a volume is left out of the list", {{"error", trouble}});
  std::vector<Volume> volumes;
  for (Stored& stored : listing.volumes)
    if (stored.volume.phase == Phase::kReady)
      volumes.push_back(volumes_.with_path(std::move(stored.volume)));
  std::ranges::sort(volumes, {}, &Volume::name);
  return volumes;
}

std::string Inspection::reason_of(const Volume& volume, const std::string& remark) {
  const std::string reason = choice_of(volume);
  return remark.empty() ? reason : fmt::format("{}; {}", reason, remark);
}

std::string Inspection::choice_of(const Volume& volume) {
  const VolumeOptions& options = volume.options;
  if (!options.from_volume.empty())
    return fmt::format("{} is that of \"{}\", which it was cloned from", volume.backend,
                       options.from_volume);
  const auto choice = volumes_.backends().choose(options);
  if (choice && choice->name == volume.backend) return choice->reason;
  return fmt::format("{} was chosen when it was created", volume.backend);
}

// Why a volume that should have grown did not.
void Inspection::add_growth(const Volume& volume, VolumeStatus& status) {
  if (volume.options.autogrow.percent == 0) return;
  const auto failed = volumes_.records().growth_failure(volume.id);
  if (!failed || failed->empty()) return;
  const std::string text = fmt::format("it could not grow: {}", *failed);
  status.health = status.condition == Condition::kOk ? text : status.health + "; " + text;
  if (status.condition == Condition::kOk) status.condition = Condition::kWarning;
}

namespace {
// What a backend only describes is still no "ok".
void settle_condition(VolumeStatus& status) {
  if (status.condition == Condition::kOk && status.health != "ok")
    status.condition = Condition::kWarning;
}
}  // namespace

Result<VolumeStatus> Inspection::status(const Volume& volume) {
  const auto backend = volumes_.backends().find(volume);
  auto status = backend ? (*backend)->status(volume) : Result<VolumeStatus>(fail(backend.error()));
  if (!status) {
    VolumeStatus unknown{.backend = volume.backend};
    unknown.condition = backend ? Condition::kWarning : Condition::kOffline;
    unknown.health = status.error().text;
    return unknown;
  }
  if (const auto read = refuse_unread(volume.options); !read) {
    status->condition = Condition::kWarning;
    status->health = read.error().text;
  }
  add_growth(volume, *status);
  status->reason = reason_of(volume, status->reason);
  const std::string trouble = backup_trouble(volume);
  if (!trouble.empty()) {
    if (status->condition == Condition::kOk) status->condition = Condition::kWarning;
    status->health = status->health == "ok" ? trouble : status->health + "; " + trouble;
  }
  settle_condition(*status);
  return status;
}

Result<VolumeStatus> Inspection::usage(const std::string& name, const Progress& progress) {
  const auto run = [&]() -> Result<VolumeStatus> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto opened, volumes_.open(parsed));
    TRY(auto usage, opened.backend->usage(opened.stored.volume, progress));
    settle_condition(usage);
    usage.reason = reason_of(opened.stored.volume, usage.reason);
    return usage;
  };
  return in_context(run(), "measure", name);
}

Result<std::map<std::string, std::uint64_t>> Inspection::snapshot_space(const std::string& name) {
  const auto run = [&]() -> Result<std::map<std::string, std::uint64_t>> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto opened, volumes_.open(parsed));
    return opened.backend->snapshot_space(opened.stored.volume);
  };
  return in_context(run(), "measure the snapshots of", name);
}

// Under the lock, because fsck needs the volume to itself.
Result<CheckReport> Inspection::check(const std::string& name, bool repair,
                                      const Progress& progress) {
  const auto run = [&]() -> Result<CheckReport> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(const auto opened, changes_.open(parsed));
    TRY(const auto content, volumes_.lock_content(opened.stored.volume, kReconcileLockDeadline));
    JobRun job(
        volumes_.jobs(),
        {.verb = "check", .volume = name, .arguments = {{"repair", repair ? "true" : "false"}}},
        progress, JobSeen::kWhenLong);
    return job.end(opened.backend->check(opened.stored.volume, repair, job.progress()));
  };
  return in_context(run(), "check", name);
}

}  // namespace fairlead::volume
