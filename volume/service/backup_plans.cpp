#include "volume/service/backup_plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/fault.h"
#include "base/text.h"
#include "volume/service/schedule.h"

namespace fairlead::volume {

namespace {

constexpr long long kFirstWait = 300, kLongestWait = 6 * 3600;
constexpr unsigned kMostDoublings = 10;
constexpr std::chrono::seconds kLockDeadline{4};

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

bool is_allowed(const std::string& folder, std::string root) {
  while (root.size() > 1 && root.ends_with('/')) root.pop_back();
  return root == "/" || folder == root || folder.starts_with(root + "/");
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

Status check_backup_folder(const VolumeOptions& options, const std::vector<std::string>& roots) {
  const std::string& folder = options.backup.folder;
  if (folder.empty()) return {};
  if (roots.empty())
    return fail(Code::kInvalid,
                "volume option \"backup\": {} is on this host, and backups may be written nowhere "
                "on it by this way; list the folders for them under \"backup_roots\" in "
                "fairlead.json, or use the command line as root (fairlead volume set)",
                shown(folder));
  if (std::ranges::none_of(roots,
                           [&](const std::string& root) { return is_allowed(folder, root); }))
    return fail(Code::kInvalid,
                "volume option \"backup\": {} is in none of the folders that \"backup_roots\" in "
                "fairlead.json allows: {}",
                shown(folder), fmt::join(roots, ", "));
  return {};
}

// Under the volume's lock, because mounts and other verbs write the record as well.
Status BackupPlans::note(const Volume& volume, const std::string& error, long long started) {
  TRY(const auto stored, records_.by_id(volume.id));
  if (!stored) return {};  // removed meanwhile
  TRY(const auto guard, locks_.lock("volume-" + stored->volume.name.str(), kLockDeadline));
  TRY(auto again, records_.by_id(volume.id));
  if (!again || again->volume.phase != Phase::kReady) return {};
  // Another folder was set meanwhile: this one says nothing of it.
  if (again->volume.options.backup.folder != volume.options.backup.folder) return {};
  again->volume.backup = state_after(again->volume.backup, error, started);
  return records_.put(*again, state::Durability::kDurable);
}

void BackupPlans::back_up(const Volume& volume, const Progress& progress, ReconcileReport& report) {
  const BackupPlan& plan = volume.options.backup;
  const long long started = now_();
  const auto made = archives_.back_up(volume.name.str(), plan.folder,
                                      {.excludes = volume.options.backup_exclude,
                                       .keep = Retention{.last = 0, .periods = plan.every}},
                                      progress);
  fault_point("backup.plan.made");
  // Somebody uses the folder or the volume, stopped the job, or the daemon ends: in a minute again.
  if (!made && made.error().code == Code::kUnavailable) return;
  const auto noted = note(volume, made ? std::string() : made.error().text, started);
  fault_point("backup.plan.noted");
  if (!noted)
    report.failures.push_back(
        fmt::format("note the backup of volume \"{}\": {}", volume.name.str(), noted.error().text));
  if (made)
    report.actions.push_back(
        fmt::format("backed up volume \"{}\" to {}", volume.name.str(), plan.folder));
  else
    report.failures.push_back(made.error().text);
}

Result<ReconcileReport> BackupPlans::keep(const Progress& progress) {
  ReconcileReport report;
  TRY(const auto listing, records_.all());
  for (const Stored& stored : listing.volumes) {
    if (progress && !progress(0, 0)) break;
    if (is_backup_due(stored.volume, now_())) back_up(stored.volume, progress, report);
  }
  return report;
}

}  // namespace fairlead::volume
