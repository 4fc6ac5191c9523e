// The commands about backup folders: volume backup, and those of the group backup.
#include <algorithm>

#include "plugin-api/cli/backup_arguments.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/group_commands.h"
#include "plugin-api/cli/long_verb.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/cli/volume_arguments.h"

namespace fairlead::cli {

using native::Document;
using volume::BackupInfo;
using volume::PruneReport;

namespace {

// ---- volume backup

Result<volume::LeftOut> back_up(Session& session, LongVerb& verb, const std::string& name,
                                const volume::BackupPlace& place,
                                const volume::BackupOptions& options) {
  TRY(auto core, session.services());
  const auto made = core.archives->back_up(name, place, options, verb.progress());
  verb.clear_bar();
  if (!made) return fail(suggest_volume(core, made.error(), name));
  if (session.line.json)
    session.print_json(native::encode_backup(*made));
  else if (session.quiet())
    session.print(made->id);
  else
    session.print(fmt::format("{}: {} of {}, {} newly written", made->id, size_text(made->bytes),
                              name, size_text(made->stored)));
  return made->left_out;
}

// ---- backup ls

// "full", "incremental, 2 left out".
std::string kind_text(const BackupInfo& backup) {
  const std::string kind = backup.incremental ? "incremental" : "full";
  const std::uint64_t left_out = backup.left_out.count;
  return left_out == 0 ? kind : fmt::format("{}, {} left out", kind, left_out);
}

void show_table(Session& session, const std::vector<BackupInfo>& backups) {
  Table table({{"BACKUP ID"},
               {"VOLUME NAME", Column::Fit::kShrink},
               {"SIZE"},
               {"WRITTEN"},
               {"KIND"},
               {"CREATED"}});
  for (const BackupInfo& one : backups)
    table.add({one.id, one.volume, size_text(one.bytes), size_text(one.stored), kind_text(one),
               ago(one.created, session.context.now)});
  session.print(table);
}

Status list(Session& session, const volume::BackupPlace& place) {
  TRY(auto core, session.services());
  TRY(auto backups, core.archives->backups(place));
  std::ranges::sort(backups, {}, &BackupInfo::id);
  if (session.line.json) {
    Document documents = Document::array();
    for (const BackupInfo& one : backups) documents.push_back(native::encode_backup(one));
    session.print_json(documents);
  } else if (session.quiet()) {
    for (const BackupInfo& one : backups) session.print(one.id);
  } else {
    show_table(session, backups);
  }
  return {};
}

// ---- backup rm and prune

volume::PruneOptions prune_options(const Session& session) {
  return {.dry_run = session.line.dry_run, .force = session.line.force};
}

Status show_pruned(Session& session, LongVerb& verb, const Result<PruneReport>& report) {
  verb.clear_bar();
  if (!report) return fail(report.error());
  if (session.line.json) {
    session.print_json(native::encode_prune(*report));
    return {};
  }
  for (const BackupInfo& one : report->removed)
    session.print(session.quiet() ? one.id
                                  : fmt::format("{}  {}  {}", one.id, one.volume,
                                                ago(one.created, session.context.now)));
  if (session.quiet()) return {};
  for (const std::string& note : report->notes) session.print(note);
  const std::size_t count = report->removed.size();
  session.print(fmt::format("{} {}{} removed, {} {}freed", count, count == 1 ? "backup" : "backups",
                            session.line.dry_run ? " would be" : "", size_text(report->freed),
                            session.line.dry_run ? "would be " : ""));
  return {};
}

Status remove(Session& session, LongVerb& verb, const volume::BackupPlace& place,
              const std::vector<std::string>& ids) {
  TRY(auto core, session.services());
  return show_pruned(
      session, verb,
      core.archives->remove_backups(place, ids, prune_options(session), verb.progress()));
}

Status prune(Session& session, LongVerb& verb, const volume::BackupPlace& place,
             const std::optional<volume::Retention>& keep) {
  TRY(auto core, session.services());
  return show_pruned(session, verb,
                     core.archives->prune(place, session.line.of_volume, keep,
                                          prune_options(session), verb.progress()));
}

// ---- backup verify

int show_check(Session& session, const volume::CheckReport& report) {
  if (session.line.json) {
    session.print_json(native::encode_check(report));
  } else {
    for (const std::string& finding : report.findings) session.print(finding);
    if (!session.quiet())
      session.print(report.clean ? "every digest is right" : "the backup is damaged");
  }
  return report.clean ? kDone : kFailed;
}

int show_repair(Session& session, const volume::RepairReport& report) {
  const bool whole = report.findings.empty();
  if (session.line.json) {
    session.print_json(native::encode_repair(report));
  } else {
    for (const std::string& line : report.healed) session.print(line);
    for (const std::string& line : report.findings) session.print(line);
    if (!session.quiet())
      session.print(!whole                  ? "the backup is damaged"
                    : report.healed.empty() ? "every digest is right"
                                            : "what was damaged is mended");
  }
  return whole ? kDone : kFailed;
}

int repair(Session& session, const volume::BackupPlace& place) {
  LongVerb verb(session, "repair the backups in " + place.folder, "");
  const auto core = session.services();
  if (!core) return verb.finish(fail(core.error()));
  const auto report = core->archives->repair(place, verb.progress());
  if (!report) return verb.finish(fail(report.error()));
  verb.clear_bar();
  return show_repair(session, *report);
}

}  // namespace

int volume_backup(Session& session) {
  if (!session.line.group.empty()) return group_backup(session);
  if (const auto given = needs_words(session.line, {"NAME"}); !given)
    return session.misused(given.error());
  const std::string& name = session.line.names[0];
  const auto place = backup_place(session.line, session.line.to, "--to DIR");
  if (!place) return session.misused(place.error());
  const auto excludes = excludes_of(session.line);
  if (!excludes) return session.misused(excludes.error());
  const auto keep = retention_of(session.line);
  if (!keep) return session.misused(keep.error());
  LongVerb verb(session, "back up volume " + name, name);
  return verb.conclude(
      back_up(session, verb, name, *place, {.excludes = *excludes, .keep = *keep}));
}

int backup_list(Session& session) {
  const auto place = backup_place(session.line, session.line.names[0], "DIR");
  if (!place) return session.misused(place.error());
  return session.finish("list backups", list(session, *place));
}

int backup_verify(Session& session) {
  const auto place = backup_place(session.line, session.line.names[0], "DIR");
  if (!place) return session.misused(place.error());
  const std::string id = session.line.names.size() > 1 ? session.line.names[1] : "";
  if (session.line.repair && !id.empty())
    return session.misused(
        {Code::kInvalid, 0, "--repair is for all backups in the folder: leave the BACKUP out"});
  if (session.line.repair) return repair(session, *place);
  LongVerb verb(session, "verify the backups in " + place->folder, "");
  const auto core = session.services();
  if (!core) return verb.finish(fail(core.error()));
  const auto report = core->archives->verify(*place, id, verb.progress());
  if (!report) return verb.finish(fail(report.error()));
  verb.clear_bar();
  return show_check(session, *report);
}

int backup_remove(Session& session) {
  const auto place = backup_place(session.line, session.line.names[0], "DIR");
  if (!place) return session.misused(place.error());
  const std::vector<std::string> ids(session.line.names.begin() + 1, session.line.names.end());
  LongVerb verb(session, "remove backups in " + place->folder, "");
  return verb.finish(remove(session, verb, *place, ids));
}

int backup_prune(Session& session) {
  const auto place = backup_place(session.line, session.line.names[0], "DIR");
  if (!place) return session.misused(place.error());
  const auto keep = retention_of(session.line);
  if (!keep) return session.misused(keep.error());
  LongVerb verb(session, "prune the backups in " + place->folder, session.line.of_volume);
  return verb.finish(prune(session, verb, *place, *keep));
}

}  // namespace fairlead::cli
