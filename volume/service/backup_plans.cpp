#include "volume/service/backup_plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/fault.h"
#include "base/log.h"
#include "base/text.h"
#include "volume/api/backup_target.h"
#include "volume/service/backup_lanes.h"
#include "volume/service/backup_secret.h"
#include "volume/service/schedule.h"
#include "volume/service/stoppable.h"

namespace fairlead::volume {

namespace {

constexpr long long kFirstWait = 300, kLongestWait = 6 * 3600;
constexpr unsigned kMostDoublings = 10;
constexpr long long kLate = 6 * 3600;
constexpr std::chrono::seconds kLockDeadline{4};
constexpr std::chrono::milliseconds kStopLook{100};  // how soon a stop is seen

long long wait_after(unsigned failures) {
  if (failures == 0) return 0;
  return std::min(kFirstWait << std::min(failures - 1, kMostDoublings), kLongestWait);
}

std::string date_of(long long time) {
  const std::time_t seconds = time;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc));
}

bool is_allowed(const std::string& target, const BackupRoots& roots) {
  return roots.anywhere || std::ranges::any_of(roots.targets, [&](const std::string& root) {
           return is_beneath_target(target, root);
         });
}

// Told at once, because the others may take hours.
void add(const Result<ReconcileReport>& done, ReconcileReport& report) {
  if (!done) report.failures.push_back(done.error().text);
  if (!done) return log::warn("backup failed", {{"error", done.error().text}});
  for (const std::string& action : done->actions) log::info("backup made", {{"action", action}});
  for (const std::string& failure : done->failures)
    log::warn("backup failed", {{"error", failure}});
  report.actions.insert(report.actions.end(), done->actions.begin(), done->actions.end());
  report.failures.insert(report.failures.end(), done->failures.begin(), done->failures.end());
}

}  // namespace

bool is_backup_due(const Volume& volume, long long now) {
  if (volume.phase != Phase::kReady || volume.options.backup.folder.empty()) return false;
  const BackupState& state = volume.backup;
  if (!is_due(volume.options.backup.every, state.done, now)) return false;
  // A time that lies in the future is of a clock that ran ahead.
  return state.tried > now || state.tried + wait_after(state.failures) <= now;
}

BackupState state_after(const BackupState& before, const std::string& error, long long started) {
  if (error.empty()) return {.done = started, .tried = started, .since = 0, .failures = 0};
  BackupState state = before;
  state.tried = started;
  if (state.failures++ == 0) state.since = started;
  state.error = error;
  return state;
}

std::string backup_trouble(const Volume& volume) {
  const BackupState& state = volume.backup;
  if (volume.options.backup.folder.empty() || state.error.empty()) return {};
  return fmt::format("the backup to {} has failed since {}: {}", volume.options.backup.folder,
                     date_of(state.since), state.error);
}

bool is_backup_late(const Volume& volume, long long now) {
  const long long then = now - kLate;
  return volume.created <= then && volume.backup.done <= then &&
         is_due(volume.options.backup.every, volume.backup.done, then);
}

BackupPlace place_of(const VolumeOptions& options) {
  BackupPlace place(options.backup.folder);
  place.key_file = options.backup_keyfile;
  place.passphrase_file = options.backup_passphrasefile;
  return place;
}

Status check_backup_plan(const VolumeOptions& options, const BackupRoots& roots) {
  const std::string& target = options.backup.folder;
  if (target.empty()) return {};
  if (!roots.anywhere && roots.targets.empty())
    return fail(Code::kInvalid,
                "volume option \"backup\": {} cannot be named in this way, because a backup is "
                "written with the rights of this host; list the folders and targets for backups "
                "under \"backup_roots\" in fairlead.json, or use the command line as root "
                "(fairlead volume set)",
                shown(target));
  if (!is_allowed(target, roots))
    return fail(Code::kInvalid,
                "volume option \"backup\": {} is in none of the folders and targets that "
                "\"backup_roots\" in fairlead.json allows: {}",
                shown(target), fmt::join(roots.targets, ", "));
  const BackupPlace place = place_of(options);
  if (place.key_file.empty() && place.passphrase_file.empty()) return {};
  return status_of(read_secret(place));
}

// Under the volume's lock, because mounts and other verbs write the record as well.
// Returns false when the volume, or its option, is not what it was when the backup began.
Result<bool> BackupPlans::note(const Volume& volume, const std::string& error, long long started) {
  TRY(const auto stored, records_.by_id(volume.id));
  if (!stored) return false;  // removed meanwhile
  TRY(const auto guard, locks_.lock("volume-" + stored->volume.name.str(), kLockDeadline));
  TRY(auto again, records_.by_id(volume.id));
  if (!again || again->volume.phase != Phase::kReady) return false;
  // Of another target, or of what had another name, this one says nothing.
  if (place_of(again->volume.options) != place_of(volume.options)) return false;
  if (!error.empty() && again->volume.name != volume.name) return false;
  again->volume.backup = state_after(again->volume.backup, error, started);
  TRY_STATUS(records_.put(*again, state::Durability::kDurable));
  return true;
}

Result<ReconcileReport> BackupPlans::back_up(const Volume& due, const Progress& progress) {
  ReconcileReport report;
  // As it is now: others were made before it, which may have taken long.
  TRY(const auto stored, records_.by_id(due.id));
  const long long started = now_();
  if (!stored || !is_backup_due(stored->volume, started)) return report;
  const Volume& volume = stored->volume;
  const BackupPlan& plan = volume.options.backup;
  const auto made = archives_.back_up(volume.name.str(), place_of(volume.options),
                                      {.excludes = volume.options.backup_exclude,
                                       .keep = Retention{.last = 0, .periods = plan.every}},
                                      progress);
  fault_point("backup.plan.made");
  // Somebody uses the folder or the volume, stopped the job, or the daemon ends: in a minute again.
  if (!made && made.error().code == Code::kUnavailable &&
      ((progress && !progress(0, 0)) || !is_backup_late(volume, started)))
    return report;
  const auto noted = note(volume, made ? std::string() : made.error().text, started);
  fault_point("backup.plan.noted");
  if (!noted)
    return fail(with_context(noted.error(),
                             fmt::format("note the backup of volume \"{}\"", volume.name.str())));
  if (made)
    report.actions.push_back(
        fmt::format("backed up volume \"{}\" to {}", volume.name.str(), plan.folder));
  else if (*noted)
    report.failures.push_back(made.error().text);
  return report;
}

Result<BackupPlans::Due> BackupPlans::due() {
  TRY(const auto listing, records_.all());
  Due due;
  for (const Stored& stored : listing.volumes) {
    if (!is_backup_due(stored.volume, now_())) continue;
    const auto target = parse_backup_target(stored.volume.options.backup.folder);
    due[target ? server_of(*target) : std::string()].push_back(stored.volume);
  }
  return due;
}

Result<ReconcileReport> BackupPlans::keep(const Progress& outer) {
  const Stoppable stoppable(outer);
  const Progress progress = stoppable.progress();
  const auto stopped = stoppable.stopped();
  ReconcileReport report;
  std::mutex mutex;
  const auto back_up_all = [&](const std::vector<Volume>& volumes) {
    for (const Volume& volume : volumes) {
      if (stopped()) return;
      const auto done = back_up(volume, progress);
      const std::scoped_lock hold(mutex);
      add(done, report);
    }
  };
  BackupLanes lanes;  // the last: its threads use the others
  do {
    TRY(const auto due, this->due());
    for (const auto& [server, volumes] : due)
      if (!stopped()) lanes.start(server, [&, volumes = volumes] { back_up_all(volumes); });
    // Only so often: what could not be made because something is in use is due still.
    const auto looked = std::chrono::steady_clock::now();
    while (lanes.wait(kStopLook) && !stopped() &&
           std::chrono::steady_clock::now() - looked < look_) {
    }
  } while (lanes.wait(std::chrono::milliseconds(0)) && !stopped());
  lanes.end();
  return report;
}

}  // namespace fairlead::volume
