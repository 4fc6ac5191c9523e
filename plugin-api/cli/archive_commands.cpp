// The commands export, import and restore.
#include <algorithm>
#include <ostream>

#include "plugin-api/cli/archive_file.h"
#include "plugin-api/cli/backup_arguments.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/group_commands.h"
#include "plugin-api/cli/long_verb.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/cli/volume_arguments.h"

namespace fairlead::cli {

using volume::BackupInfo;
using volume::LeftOut;

namespace {

bool is_standard_stream(const std::string& path) { return path.empty() || path == "-"; }

// ---- export

std::string report_text(const Session& session, const std::string& what,
                        const volume::ArchiveReport& report) {
  if (session.line.json) return native::encode_archive(report).dump(2);
  return fmt::format("{}: {} files, {}, sha256 {}", what, report.files, size_text(report.bytes),
                     report.digest);
}

Result<volume::ArchiveReport> export_to(Session& session, LongVerb& verb, const VolumeRef& ref,
                                        int fd) {
  TRY(const auto excludes, excludes_of(session.line));
  TRY(auto core, session.services());
  auto written = core.archives->export_to(ref.text(), fd, excludes, verb.progress());
  if (!written)
    return fail(ref.snapshot.empty() ? suggest_volume(core, written.error(), ref.volume)
                                     : suggest_snapshot(core, written.error(), ref));
  return written;
}

// The archive goes to stdout, so messages about it go to stderr.
Result<LeftOut> export_to_stdout(Session& session, LongVerb& verb, const VolumeRef& ref) {
  TRY(auto report, export_to(session, verb, ref, session.context.out_fd));
  verb.clear_bar();
  if (!session.quiet())
    session.context.err << printable(report_text(session, ref.text(), report)) << '\n';
  return std::move(report.left_out);
}

Result<LeftOut> export_to_file(Session& session, LongVerb& verb, const VolumeRef& ref,
                               const std::string& path) {
  TRY(auto file, OutputFile::open(path));
  TRY(auto report, export_to(session, verb, ref, file.fd()));
  TRY_STATUS(file.commit());
  verb.clear_bar();
  if (session.line.json)
    session.print_json(native::encode_archive(report));
  else if (!session.quiet())
    session.print(report_text(session, path, report));
  return std::move(report.left_out);
}

// ---- import and restore

Result<LeftOut> show_made(Session& session, LongVerb& verb, const Result<volume::Volume>& volume) {
  verb.clear_bar();
  if (!volume) return fail(volume.error());
  if (session.line.json)
    session.print_json(native::encode_volume(*volume));
  else if (!session.quiet())
    session.print(volume->name.str());
  return volume->left_out;
}

Result<LeftOut> import_from(Session& session, LongVerb& verb, const volume::VolumeSpec& spec,
                            const std::string& path, const std::string& sha256) {
  TRY(auto core, session.services());
  if (is_standard_stream(path))
    return show_made(
        session, verb,
        core.archives->import_from(spec, session.context.in_fd, sha256, verb.progress()));
  TRY(auto file, open_input(path));
  return show_made(session, verb,
                   core.archives->import_from(spec, file.get(), sha256, verb.progress()));
}

std::string ids_text(const std::vector<BackupInfo>& backups) {
  constexpr std::size_t kMost = 5;
  std::string text;
  for (std::size_t i = backups.size() - std::min(backups.size(), kMost); i < backups.size(); ++i)
    text += (text.empty() ? "" : ", ") + backups[i].id;
  return text;
}

// The id that was asked for, or the id of the volume's newest backup.
Result<std::string> wanted_backup(const CliServices& core, const volume::BackupPlace& place,
                                  const std::string& volume, const std::string& id) {
  TRY(auto backups, core.archives->backups(place));
  std::erase_if(backups, [&](const BackupInfo& one) { return one.volume != volume; });
  std::ranges::sort(backups, {}, &BackupInfo::id);
  if (backups.empty())
    return fail(Code::kNotFound, "there is no backup of {} in {}; see: fairlead backup ls {}",
                volume, place.folder, place.folder);
  if (id.empty()) return backups.back().id;
  if (std::ranges::find(backups, id, &BackupInfo::id) != backups.end()) return id;
  return fail(Code::kNotFound, "there is no backup {} of {} in {}; the newest are {}", id, volume,
              place.folder, ids_text(backups));
}

Result<LeftOut> restore(Session& session, LongVerb& verb, const volume::VolumeSpec& spec,
                        const volume::BackupPlace& place) {
  TRY(auto core, session.services());
  TRY(auto id, wanted_backup(core, place, session.line.names[0], session.line.backup));
  return show_made(session, verb, core.archives->restore(spec, place, id, verb.progress()));
}

Error invalid(std::string text) { return {Code::kInvalid, 0, std::move(text)}; }

// 64 hex digits in lower case; empty for an empty text.
Result<std::string> digest_of(std::string text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (text.empty() || (text.size() == 64 && text.find_first_not_of(kDigits) == text.npos))
    return text;
  return fail(Code::kInvalid, "--sha256 {}: it must have 64 hex digits, as export prints them",
              text);
}

}  // namespace

int volume_export(Session& session) {
  const auto ref = volume_ref(session.line.names[0]);
  if (!ref) return session.misused(ref.error());
  if (const auto excludes = excludes_of(session.line); !excludes)
    return session.misused(excludes.error());
  const bool to_stdout = is_standard_stream(session.line.output);
  if (to_stdout && session.context.is_tty)
    return session.misused(
        invalid("an archive is nothing for a terminal: give -o FILE, or pipe it somewhere"));
  LongVerb verb(session, "export volume " + ref->text(), ref->volume);
  return verb.conclude(to_stdout ? export_to_stdout(session, verb, *ref)
                                 : export_to_file(session, verb, *ref, session.line.output));
}

int volume_import(Session& session) {
  const auto spec = volume_spec_of(session.line, session.line.names[0]);
  if (!spec) return session.misused(spec.error());
  const std::string path = session.line.names.size() > 1 ? session.line.names[1] : "-";
  if (is_standard_stream(path) && session.context.in_is_tty)
    return session.misused(invalid("give the FILE of the archive, or pipe it in"));
  const auto digest = digest_of(session.line.sha256);
  if (!digest) return session.misused(digest.error());
  LongVerb verb(session, "import volume " + spec->name.str(), spec->name.str());
  return verb.conclude(import_from(session, verb, *spec, path, *digest));
}

int volume_restore(Session& session) {
  const auto place = backup_place(session.line, session.line.from, "--from DIR");
  if (!place) return session.misused(place.error());
  const std::string& name = session.line.as.empty() ? session.line.names[0] : session.line.as;
  const auto spec = volume_spec_of(session.line, name);
  if (!spec) return session.misused(spec.error());
  LongVerb verb(session, "restore volume " + spec->name.str(), spec->name.str());
  return verb.conclude(restore(session, verb, *spec, *place));
}

}  // namespace fairlead::cli
