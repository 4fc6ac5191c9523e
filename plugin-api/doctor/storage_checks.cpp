// Checks of the state, of disks and of volumes.
#include <fmt/format.h>

#include "plugin-api/doctor/checks.h"

namespace fairlead::doctor {

namespace {

using volume::Condition;

constexpr unsigned kNearlyFull = 90, kFull = 97;  // percent

void judge_room(const Disk& disk, const Fill& fill, bool of_files, Findings& findings) {
  if (fill.percent() < kNearlyFull) return;
  const bool full = fill.percent() >= kFull;
  findings.add(
      {.severity = full ? Severity::kProblem : Severity::kWarning,
       .wrong = of_files
                    ? fmt::format("The disk of {} ({}) can hold only {} files and folders, and "
                                  "{} % of these are taken (inodes), whatever its free bytes.",
                                  disk.purpose, disk.path, fill.most, fill.percent())
                    : fmt::format("The disk of {} ({}) is {} % full.", disk.purpose, disk.path,
                                  fill.percent()),
       .why = full ? "Nothing new can be made there, and programs in containers fail when they "
                     "write. What exists can still be removed."
                   : "When it is full, nothing new can be made there, and programs in containers "
                     "fail when they write.",
       .mend = of_files
                   ? fmt::format("`du --inodes -d 3 {} | sort -n | tail` shows where they are; "
                                 "remove what is not needed.",
                                 disk.path)
                   : "`fairlead trash empty` frees what removed volumes left, `fairlead volume "
                     "ls` and `fairlead snapshot ls` show what else is there."});
}

}  // namespace

void check_state_folder(const Facts& facts, Findings& findings) {
  const StateFolder& folder = facts.storage.state;
  if (!folder.there) return;
  if (!folder.of_root)
    findings.add(
        {.severity = Severity::kProblem,
         .wrong = fmt::format("The folder {} belongs to another user than root.", folder.path),
         .why = "Whoever owns it can exchange the database, and so decide what root does.",
         .mend = fmt::format("`chown root:root {}`", folder.path)});
  if (folder.writable_by_others)
    findings.add(
        {.severity = Severity::kProblem,
         .wrong = fmt::format("Other users than root may write into the folder {}.", folder.path),
         .why = "They could exchange the database, and so decide what root does.",
         .mend = fmt::format("`chmod go-w {}`", folder.path),
         .cure = Cure::kOwnersOnly,
         .target = folder.path});
  if (folder.database_readable_by_others)
    findings.add({.severity = Severity::kWarning,
                  .wrong = fmt::format("Other users than root may read the database {}/state.db.",
                                       folder.path),
                  .why = "Names, labels and settings of all networks and volumes are in it.",
                  .mend = fmt::format("`chmod 0600 {}/state.db`", folder.path),
                  .cure = Cure::kOwnersOnly,
                  .target = folder.path + "/state.db"});
}

void check_state_database(const Facts& facts, Findings& findings) {
  if (!facts.storage.store_error.empty())
    findings.add(
        {.severity = Severity::kProblem,
         .wrong = fmt::format("The database cannot be used: {}.", facts.storage.store_error),
         .why = "It says which networks and volumes there are. Without it nothing can be "
                "made, changed or removed; containers that run go on, and the data of "
                "volumes stays where it is.",
         .mend = fmt::format("If it is damaged, stop fairleadd, put {0}/state.db aside, "
                             "start it again, and take volumes back by `fairlead volume "
                             "recover`.",
                             facts.storage.state.path)});
  for (const Disk& disk : facts.storage.disks)
    if (disk.read_only)
      findings.add({.severity = Severity::kProblem,
                    .wrong = fmt::format("The disk of {} ({}) cannot be written: it is read-only.",
                                         disk.purpose, disk.path),
                    .why = "Nothing can be made, changed or removed. Often a disk has failed, and "
                           "the kernel has protected what is left: `dmesg` tells.",
                    .mend = fmt::format("When the disk is in order: `mount -o remount,rw $(findmnt "
                                        "-no TARGET --target {})`, then restart fairleadd.",
                                        disk.path)});
}

void check_reserve(const Facts& facts, Findings& findings) {
  constexpr std::uint64_t kWhole = 1 << 20;
  if (!facts.storage.reserve || *facts.storage.reserve >= kWhole) return;
  findings.add({.severity = Severity::kWarning,
                .wrong = fmt::format("Of the 1024 KiB that are kept for the database on a full "
                                     "disk, {} KiB are left.",
                                     *facts.storage.reserve / 1024),
                .why = "With them, volumes and networks can be removed although the disk is full. "
                       "Without them not even that is possible.",
                .mend = "Free some space on that disk (`fairlead doctor disk-space`); it is filled "
                        "up again by itself."});
}

void check_disk_space(const Facts& facts, Findings& findings) {
  for (const Disk& disk : facts.storage.disks) {
    judge_room(disk, disk.bytes, false, findings);
    judge_room(disk, disk.inodes, true, findings);
  }
}

void check_volumes(const Facts& facts, Findings& findings) {
  for (const SickVolume& volume : facts.storage.sick)
    findings.add({.severity = volume.condition == Condition::kWarning ? Severity::kWarning
                                                                      : Severity::kProblem,
                  .wrong = fmt::format("Volume {} is not healthy: {}.", volume.name, volume.health),
                  .why = volume.condition == Condition::kWarning
                             ? "It works, and somebody should look at it before it does not."
                             : "Containers that use it fail, or do not start.",
                  .mend = fmt::format(
                      "`fairlead volume inspect {0}` shows more, `fairlead volume check {0}` "
                      "looks for damage.",
                      volume.name)});
  for (const std::string& problem : facts.storage.problems)
    findings.add({.severity = Severity::kWarning,
                  .wrong = problem + ".",
                  .why = "It is about the disks below volumes, or about data that nobody knows of.",
                  .mend = "As it says; `fairlead status` shows it as well."});
}

void check_backups(const Facts& facts, Findings& findings) {
  for (const std::string& text : facts.storage.overdue)
    findings.add({.severity = Severity::kWarning,
                  .wrong = text + ".",
                  .why = "What was written since is lost when the disk fails.",
                  .mend = "fairleadd makes backups: `fairlead doctor daemon`; `journalctl -u "
                          "fairleadd` says why one has failed."});
}

}  // namespace fairlead::doctor
