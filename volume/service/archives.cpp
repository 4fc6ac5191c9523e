#include "volume/service/archives.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/fault.h"
#include "base/log.h"
#include "base/text.h"
#include "volume/api/options.h"
#include "volume/api/secrets.h"
#include "volume/service/archive_jobs.h"
#include "volume/service/archive_tree.h"
#include "volume/service/backup.h"
#include "volume/service/backup_choice.h"
#include "volume/service/backup_keeping.h"
#include "volume/service/backup_plans.h"
#include "volume/service/backup_target.h"
#include "volume/service/create_plan.h"
#include "volume/service/exclude_filter.h"
#include "volume/service/left_out.h"
#include "volume/service/new_volume.h"
#include "volume/service/recovery.h"
#include "volume/service/stoppable.h"
#include "volume/service/volume_source.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;

constexpr auto kLockDeadline = 4s;

// The bytes that a descriptor still gives; 0 for a pipe.
std::uint64_t rest_of(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  const off_t at = ::lseek(fd, 0, SEEK_CUR);
  return at < 0 || at > info.st_size ? 0 : static_cast<std::uint64_t>(info.st_size - at);
}

TreeLimits limits_of(const VolumeOptions& options) {
  TreeLimits limits;
  limits.bytes = options.size.value_or(limits.bytes);
  limits.entries = options.inodes.value_or(limits.entries);
  return limits;
}

// A folder from elsewhere must not make the daemon write wherever it likes, nor read other secrets
// than the one that has opened it.
void take_plan_of(const BackupPlace& place, VolumeOptions& options) {
  const bool is_here = options.backup.folder == place.folder;
  if (!is_here) options.backup = {};
  if (!is_here) options.backup_exclude = {};
  options.backup_keyfile = is_here ? place.key_file : std::string();
  options.backup_passphrasefile = is_here ? place.passphrase_file : std::string();
}

// Owner and mode that the user asked for take precedence over those in the archive.
Status dress_top(int data, const Volume& volume) {
  const VolumeOptions& options = volume.options;
  const bool has_uid = options.uid != 0, has_gid = options.gid != 0;
  if ((has_uid || has_gid) && ::fchown(data, has_uid ? options.uid : static_cast<uid_t>(-1),
                                       has_gid ? options.gid : static_cast<gid_t>(-1)) != 0)
    return fail_errno(errno, "set the owner of the volume");
  if (options.mode != kDefaultMode && ::fchmod(data, options.mode) != 0)
    return fail_errno(errno, "set the mode of the volume");
  return {};
}

class Archives : public VolumeArchives {
 public:
  Archives(VolumeService& service, state::Store& store, NamedLocks& locks,
           BackendRegistry& backends, Environment environment)
      : service_(service),
        records_(store, environment.boot),
        locks_(locks),
        backends_(backends),
        now_(environment.now),
        admit_(environment.admit),
        jobs_(store, locks, environment.now) {}

  using VolumeArchives::back_up;
  using VolumeArchives::export_to;
  Result<ArchiveReport> export_to(const std::string& volume, int fd, const Excludes& excludes,
                                  const Progress& progress) override;
  Result<Volume> import_from(const VolumeSpec& spec, int fd, const std::string& sha256,
                             const Progress& progress) override;
  Result<BackupInfo> back_up(const std::string& volume, const BackupPlace& place,
                             const BackupOptions& options, const Progress& progress) override;
  Result<std::vector<BackupInfo>> backups(const BackupPlace& place) override;
  Result<Volume> restore(const VolumeSpec& spec, const BackupPlace& place,
                         const std::string& backup, const Progress& progress) override;
  Result<CheckReport> verify(const BackupPlace& place, const std::string& backup,
                             const Progress& progress) override;
  Result<PruneReport> remove_backups(const BackupPlace& place, const std::vector<std::string>& ids,
                                     const PruneOptions& options,
                                     const Progress& progress) override;
  Result<PruneReport> prune(const BackupPlace& place, const std::string& volume,
                            const std::optional<Retention>& keep, const PruneOptions& options,
                            const Progress& progress) override;
  Result<RepairReport> repair(const BackupPlace& place, const Progress& progress) override;
  Result<ReconcileReport> keep_backups(const Progress& progress) override {
    return BackupPlans(*this, records_, locks_, now_).keep(progress);
  }

 private:
  using Writing = std::function<Status(TreeWriter&)>;

  ArchiveParts parts() { return {service_, records_, locks_, backends_}; }
  // `already`: what the content lacked before it was written.
  Result<Volume> make_volume(const VolumeSpec& spec, Origin origin, const LeftOut& already,
                             const Writing& write);
  Result<LeftOut> fill(const Volume& volume, Backend& backend, Origin origin, const Writing& write);
  Result<ArchiveReport> export_now(const std::string& volume, int fd, const Excludes& excludes,
                                   const Progress& progress);
  Result<BackupInfo> back_up_now(const std::string& volume, const BackupPlace& place,
                                 const BackupOptions& options, const Progress& progress);
  Result<Volume> restore_now(VolumeSpec spec, const BackupPlace& place, const std::string& id,
                             const Progress& progress);
  Result<std::vector<std::string>> admit(const CreatePlan& plan);
  Result<std::uint64_t> measured_bytes(const VolumeSource& source, const Excludes& excludes,
                                       const Progress& progress);
  Result<std::uint64_t> expected_bytes(const BackupFolder& folder, const VolumeSource& source,
                                       const Excludes& excludes, const Progress& progress);
  Status note_backup(const Volume& volume, const BackupInfo& made);

  VolumeService& service_;
  Records records_;
  NamedLocks& locks_;
  BackendRegistry& backends_;
  std::function<long long()> now_;
  Admit admit_;
  JobRecords jobs_;
};

template <class T>
Result<T> in_context(Result<T> result, const std::string& context) {
  if (!result) return fail(with_context(result.error(), context));
  return result;
}

// --- creating volumes

Result<LeftOut> Archives::fill(const Volume& volume, Backend& backend, Origin origin,
                               const Writing& write) {
  TRY(const auto data, backend.open_data(volume, {}));
  TreeWriter writer(data.get(), origin, limits_of(volume.options));
  TRY_STATUS(write(writer));
  TRY_STATUS(dress_top(data.get(), volume));
  if (writer.absolute_names() > 0)
    log::info(
        "absolute names were taken beneath the volume",
        {{"volume", volume.name.str()}, {"entries", std::to_string(writer.absolute_names())}});
  LeftOut left_out = left_out_of(writer.notes());
  log_left_out(left_out, "fill", volume.name.str());
  if (::syncfs(data.get()) != 0) return fail_errno(errno, "flush the volume");
  return left_out;
}

Result<std::vector<std::string>> Archives::admit(const CreatePlan& plan) {
  Backend& backend = *plan.choice.backend;
  if (!admit_ || !plan.options.size || !backend.promises(plan.options))
    return std::vector<std::string>();
  TRY(const auto room, backend.room());
  return admit_(room, *plan.options.size);
}

Result<Volume> Archives::make_volume(const VolumeSpec& spec, Origin origin, const LeftOut& already,
                                     const Writing& write) {
  TRY(auto plan, plan_create(spec));
  if (!plan.options.from_volume.empty())
    return fail(Code::kInvalid, "option \"from\" makes a clone; leave it out here");
  TRY_STATUS(choose_backend(plan, backends_));
  const auto is_there = [&]() -> Result<bool> {
    TRY(const auto there, records_.by_name(spec.name));
    if (there && there->volume.phase == Phase::kReady)
      return fail(Code::kExists, "it exists; remove it first, or use another name");
    return there.has_value();
  };
  // Removes what an earlier call left unfinished.
  TRY(const bool leftover, is_there());
  if (leftover) {
    const auto gone = service_.remove(spec.name.str());
    if (!gone && gone.error().code != Code::kNotFound) return fail(gone.error());
  }
  TRY(const auto guard, locks_.lock("volume-" + spec.name.str(), kLockDeadline));
  TRY(const bool again, is_there());
  TRY_STATUS(LostVolumes(records_, backends_).refuse(spec.name));
  TRY(auto warnings, admit(plan));
  if (again) return fail(Code::kUnavailable, "somebody else is making it; try again");
  TRY(auto made,
      make_filled_volume(records_, plan, now_(), [&](const Volume& volume, Backend& backend) {
        return fill(volume, backend, origin, write).map([&](LeftOut left_out) {
          left_out.add(already);
          return left_out;
        });
      }));
  made.warnings = std::move(warnings);
  return made;
}

Result<Volume> Archives::import_from(const VolumeSpec& spec, int fd, const std::string& sha256,
                                     const Progress& progress) {
  JobRun job(jobs_, {.verb = "import", .volume = spec.name.str(), .arguments = {}}, progress);
  auto made = make_volume(spec, Origin::kForeign, {}, [&](TreeWriter& writer) {
    return import_tree(fd, sha256, writer, rest_of(fd), job.progress());
  });
  return job.end(in_context(std::move(made), fmt::format("import volume \"{}\"", spec.name.str())));
}

// --- export

// For percent and time left, where nobody knows what a folder holds: a walk that reads no content.
Result<std::uint64_t> Archives::measured_bytes(const VolumeSource& source, const Excludes& excludes,
                                               const Progress& progress) {
  if (source.used() != 0 || !excludes.empty() || !progress) return source.used();
  const auto usage = service_.usage(source.volume().name.str(),
                                    [&](std::uint64_t, std::uint64_t) { return progress(0, 0); });
  if (!usage && usage.error().code == Code::kUnavailable) return fail(usage.error());
  return usage ? usage->used.value_or(0) : 0;
}

// Of a volume that was backed up here before, as much as then.
Result<std::uint64_t> Archives::expected_bytes(const BackupFolder& folder,
                                               const VolumeSource& source, const Excludes& excludes,
                                               const Progress& progress) {
  TRY(const auto listing, folder.list());
  for (auto last = listing.backups.rbegin(); last != listing.backups.rend(); ++last)
    if (last->volume_id == source.volume().id && last->info.bytes > 0) return last->info.bytes;
  return measured_bytes(source, excludes, progress);
}

Result<ArchiveReport> Archives::export_now(const std::string& volume, int fd,
                                           const Excludes& excludes, const Progress& progress) {
  TRY_STATUS(check_excludes(excludes));
  TRY(const auto source, VolumeSource::open(parts(), volume));
  TRY_STATUS(refuse_file_inside({source.data(), source.volume().mountpoint}, fd));
  const ExcludeFilter filter(excludes);
  TRY(const auto total, measured_bytes(source, excludes, progress));
  if (!source.warning().empty())
    log::warn("export of a live volume", {{"volume", volume}, {"why", source.warning()}});
  TRY(auto tree, export_tree(source.data(), fd, total, progress, source.hollow(),
                             excludes.empty() ? nullptr : &filter));
  fault_point("archive.export.written");
  tree.report.left_out = left_out_of(tree.notes);
  log_left_out(tree.report.left_out, "export", volume);
  return std::move(tree.report);
}

Result<ArchiveReport> Archives::export_to(const std::string& volume, int fd,
                                          const Excludes& excludes, const Progress& progress) {
  JobRun job(jobs_, {.verb = "export", .volume = shown(volume), .arguments = {}}, progress);
  return job.end(in_context(export_now(volume, fd, excludes, job.progress()),
                            fmt::format("export volume \"{}\"", shown(volume))));
}

// --- backups

Status Archives::note_backup(const Volume& volume, const BackupInfo& made) {
  TRY(const auto guard, locks_.lock("volume-" + volume.name.str(), kLockDeadline));
  TRY(auto stored, records_.by_id(volume.id));
  if (!stored || stored->volume.phase != Phase::kReady) return {};
  stored->volume.backed_up = made.created;
  stored->volume.backup_left_out = made.left_out.count;
  return records_.put(*stored, state::Durability::kDurable);
}

Result<BackupInfo> Archives::back_up_now(const std::string& volume, const BackupPlace& place,
                                         const BackupOptions& options, const Progress& outer) {
  TRY_STATUS(check_excludes(options.excludes));
  TRY(const auto there, service_.inspect(volume.substr(0, volume.find('@'))));
  if (place.folder.starts_with('/')) {
    TRY_STATUS(refuse_target_inside({-1, there.mountpoint}, place.folder));
    if (there.backend == "bind")  // where it is, also while nothing has it mounted
      TRY_STATUS(refuse_target_inside({-1, there.options.device}, place.folder));
  }
  const Stoppable stoppable(outer);
  const Progress progress = stoppable.progress();
  TRY(const auto folder, BackupFolder::prepare(place, "backup", stoppable.stopped()));
  TRY(const auto source, VolumeSource::open(parts(), volume));
  if (!source.warning().empty())
    log::warn("backup of a live volume", {{"volume", volume}, {"why", source.warning()}});
  TRY(const auto total, expected_bytes(folder, source, options.excludes, progress));
  TRY(auto result, run_backup(folder,
                              {.volume = source.volume(),
                               .data = source.data(),
                               .started = source.taken(),
                               .created = now_(),
                               .total = total,
                               .hollow = source.hollow(),
                               .group = source.group(),
                               .excludes = options.excludes},
                              progress));
  fault_point("backup.done");
  log_left_out(result.info.left_out, "backup", volume);
  for (const std::string& note : result.notes)
    log::warn("a backup has a remark", {{"volume", volume}, {"what", note}});
  if (const auto noted = note_backup(source.volume(), result.info); !noted)
    log::warn("the time of a backup could not be noted",
              {{"volume", volume}, {"error", noted.error().text}});
  if (options.keep) {
    const auto kept = keep_after_backup(folder, source.volume(), *options.keep, now_(), progress);
    if (!kept) log::warn("old backups stay", {{"volume", volume}, {"error", kept.error().text}});
  }
  return std::move(result.info);
}

Result<BackupInfo> Archives::back_up(const std::string& volume, const BackupPlace& place,
                                     const BackupOptions& options, const Progress& progress) {
  JobRun job(jobs_, backup_task(volume, place, options), progress);
  return job.end(in_context(back_up_now(volume, place, options, job.progress()),
                            fmt::format("back up volume \"{}\"", shown(volume))));
}

Result<std::vector<BackupInfo>> Archives::backups(const BackupPlace& place) {
  TRY(const auto folder, BackupFolder::open(place));
  TRY(const auto listing, folder.list());
  for (const std::string& line : listing.damaged)
    log::warn("a backup is left out of the list", {{"folder", place.folder}, {"error", line}});
  std::vector<BackupInfo> infos;
  for (const BackupSummary& summary : listing.backups) infos.push_back(summary.info);
  return infos;
}

Result<Volume> Archives::restore_now(VolumeSpec spec, const BackupPlace& place,
                                     const std::string& id, const Progress& outer) {
  const Stoppable stoppable(outer);
  const Progress progress = stoppable.progress();
  TRY(const auto folder, BackupFolder::open(place, stoppable.stopped()));
  TRY(const auto backup, choose_backup(folder, id, id.empty() ? spec.name.str() : ""));
  if (spec.options == VolumeOptions{}) {
    TRY(spec.options, parse_options(backup.options));
    // its content is in the backup, so it is no clone any more
    spec.options.from_volume.clear();
    spec.options.from_snapshot.clear();
    take_plan_of(place, spec.options);
  }
  if (spec.labels.empty()) spec.labels = backup.labels;
  return make_volume(spec, Origin::kOwn, backup.info.left_out, [&](TreeWriter& writer) {
    return run_restore(folder, backup, writer, progress);
  });
}

Result<Volume> Archives::restore(const VolumeSpec& spec, const BackupPlace& place,
                                 const std::string& backup, const Progress& progress) {
  TRY_STATUS(refuse_secrets(spec.options));  // a job keeps them
  JobRun job(jobs_, restore_task(spec, place, backup), progress);
  return job.end(in_context(restore_now(spec, place, backup, job.progress()),
                            fmt::format("restore volume \"{}\"", spec.name.str())));
}

Result<CheckReport> verify_now(const BackupPlace& place, const std::string& id,
                               const Progress& outer) {
  const Stoppable stoppable(outer);
  const Progress progress = stoppable.progress();
  TRY(const auto folder, BackupFolder::open(place, stoppable.stopped()));
  TRY(const auto listing, folder.list());
  if (listing.backups.empty() && listing.damaged.empty())
    return fail(Code::kNotFound, "there is no backup in {}", folder.path());
  if (id.empty()) {
    TRY(auto report, run_verify(folder, listing.backups, progress));
    report.findings.insert(report.findings.begin(), listing.damaged.begin(), listing.damaged.end());
    report.clean = report.findings.empty();
    return report;
  }
  TRY(const auto backup, choose_backup(folder, id, {}));
  return run_verify(folder, {backup}, progress);
}

Result<CheckReport> Archives::verify(const BackupPlace& place, const std::string& backup,
                                     const Progress& progress) {
  JobRun job(jobs_, verify_task(place, backup), progress);
  return job.end(in_context(verify_now(place, backup, job.progress()),
                            fmt::format("verify the backups in {}", shown(place.folder))));
}

// --- order

Result<PruneReport> Archives::remove_backups(const BackupPlace& place,
                                             const std::vector<std::string>& ids,
                                             const PruneOptions& options,
                                             const Progress& progress) {
  JobRun job(jobs_, task_of("prune", place), progress, JobSeen::kWhenLong);
  return job.end(in_context(remove_backups_in(place, ids, options, job.progress()),
                            fmt::format("remove backups in {}", shown(place.folder))));
}

Result<PruneReport> Archives::prune(const BackupPlace& place, const std::string& volume,
                                    const std::optional<Retention>& keep,
                                    const PruneOptions& options, const Progress& progress) {
  JobRun job(jobs_, task_of("prune", place, volume), progress, JobSeen::kWhenLong);
  return job.end(in_context(
      prune_in(place, {.volume = volume, .keep = keep, .now = now_()}, options, job.progress()),
      fmt::format("prune the backups in {}", shown(place.folder))));
}

Result<RepairReport> Archives::repair(const BackupPlace& place, const Progress& progress) {
  JobRun job(jobs_, task_of("repair", place), progress);
  return job.end(in_context(repair_in(parts(), place, job.progress()),
                            fmt::format("repair the backups in {}", shown(place.folder))));
}

}  // namespace

std::unique_ptr<VolumeArchives> make_volume_archives(VolumeService& service, state::Store& store,
                                                     NamedLocks& locks, BackendRegistry& backends,
                                                     Environment environment) {
  return std::make_unique<Archives>(service, store, locks, backends, std::move(environment));
}

}  // namespace fairlead::volume
