#include <algorithm>
#include <map>

#include "plugin-api/metrics/collectors.h"

namespace fairlead::metrics {

namespace {

using volume::Condition;
using volume::JobState;
using volume::Volume;
using volume::VolumeStatus;

// The families of single volumes, which each volume adds its samples to.
struct VolumeFamilies {
  Family volumes{.name = "fairlead_volumes", .help = "Volumes, by backend and condition."};
  Family size{.name = "fairlead_volume_size_bytes", .help = "The limit of the volume, if any."};
  Family used{.name = "fairlead_volume_used_bytes",
              .help = "What the volume takes, where that is known without reading it."};
  Family healthy{.name = "fairlead_volume_healthy",
                 .help = "1, or 0 when something is wrong with the volume."};
  Family snapshots{.name = "fairlead_volume_snapshots", .help = "Snapshots of the volume."};
  Family backed_up{.name = "fairlead_volume_backup_last_success_timestamp_seconds",
                   .help = "When the last backup of the volume succeeded; 0: never."};
  Family failed{.name = "fairlead_volume_backup_failures",
                .help = "Scheduled backups that failed since the last one that succeeded."};
  std::map<std::pair<std::string, std::string>, double> by_condition;

  void add(const Volume& volume, const VolumeStatus& status);
  Families finish();
};

void VolumeFamilies::add(const Volume& volume, const VolumeStatus& status) {
  const Labels labels{{"volume", volume.name.str()}};
  by_condition[{volume.backend, std::string(to_string(status.condition))}] += 1;
  if (status.size) size.add(labels, static_cast<double>(*status.size));
  if (status.used) used.add(labels, static_cast<double>(*status.used));
  healthy.add(labels, status.condition == Condition::kOk ? 1 : 0);
  snapshots.add(labels, static_cast<double>(volume.snapshots.size()));
  const bool scheduled = !volume.options.backup.folder.empty();
  const long long done = std::max(volume.backed_up, volume.backup.done);
  if (scheduled || done != 0) backed_up.add(labels, static_cast<double>(done));
  if (scheduled) failed.add(labels, volume.backup.failures);
}

Families VolumeFamilies::finish() {
  for (const auto& [key, count] : by_condition)
    volumes.add({{"backend", key.first}, {"condition", key.second}}, count);
  return {std::move(volumes),   std::move(size),      std::move(used),  std::move(healthy),
          std::move(snapshots), std::move(backed_up), std::move(failed)};
}

Families pool_families(const std::vector<volume::VolumePool>& pools) {
  Family size{.name = "fairlead_pool_size_bytes", .help = "The size of the pool, while mounted."};
  Family used{.name = "fairlead_pool_used_bytes", .help = "What is taken of the pool."};
  Family healthy{.name = "fairlead_pool_healthy", .help = "1, or 0 when something is wrong."};
  Family volumes{.name = "fairlead_pool_volumes", .help = "Volumes in the pool."};
  for (const volume::VolumePool& pool : pools) {
    const Labels labels{{"pool", pool.name.str()}};
    if (pool.size != 0) size.add(labels, static_cast<double>(pool.size));
    if (pool.size != 0) used.add(labels, static_cast<double>(pool.used));
    healthy.add(labels, pool.health == "ok" ? 1 : 0);
    volumes.add(labels, static_cast<double>(pool.volumes));
  }
  return {std::move(size), std::move(used), std::move(healthy), std::move(volumes)};
}

Family job_family(const std::vector<volume::Job>& jobs) {
  Family family{.name = "fairlead_jobs",
                .help = "Long verbs that run, or have ended in the last week, by state."};
  for (const JobState state : {JobState::kRunning, JobState::kDone, JobState::kFailed,
                               JobState::kStopped, JobState::kInterrupted})
    family.add({{"state", std::string(to_string(state))}},
               static_cast<double>(std::ranges::count(jobs, state, &volume::Job::state)));
  return family;
}

Result<Families> collect(const VolumeSources& sources) {
  TRY(const auto volumes, sources.volumes.list());
  VolumeFamilies of_volumes;
  for (const Volume& volume : volumes)
    if (const auto status = sources.volumes.status(volume)) of_volumes.add(volume, *status);
  Families families = of_volumes.finish();
  TRY(const auto pools, sources.pools.list());
  for (Family& family : pool_families(pools)) families.push_back(std::move(family));
  TRY(const auto jobs, sources.jobs.list());
  families.push_back(job_family(jobs));
  TRY(const auto trash, sources.volumes.trash());
  Family trashed{.name = "fairlead_trashed_volumes",
                 .help = "Removed volumes whose data is still kept."};
  trashed.add({}, static_cast<double>(trash.size()));
  families.push_back(std::move(trashed));
  return families;
}

Result<Families> collect_problems(network::NetworkService& networks,
                                  volume::VolumeService& volumes) {
  TRY(const auto status, networks.status());
  Family problems{.name = "fairlead_problems",
                  .help = "What `fairlead status` names as wrong, by what it is about."};
  problems.add({{"about", "networks"}}, static_cast<double>(status.problems.size()));
  problems.add({{"about", "volumes"}}, static_cast<double>(volumes.problems().size()));
  return Families{std::move(problems)};
}

}  // namespace

Collector volume_collector(const VolumeSources& sources) {
  return {"volumes", [sources] { return collect(sources); }};
}

Collector problem_collector(network::NetworkService& networks, volume::VolumeService& volumes) {
  return {"problems", [&networks, &volumes] { return collect_problems(networks, volumes); }};
}

}  // namespace fairlead::metrics
