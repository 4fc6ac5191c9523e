// Looks into volumes, snapshots and backups: ls-files, cat, cp.
#include <algorithm>
#include <ctime>
#include <ostream>

#include "plugin-api/cli/backup_arguments.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/long_verb.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/cli/volume_arguments.h"

namespace fairlead::cli {

using native::Document;
using volume::ContentEntry;
using volume::ContentKind;
using volume::ContentPlace;
using volume::LeftOut;
using volume::VolumeContent;

namespace {

// "/a//b/./c/" is "a/b/c".
Result<std::string> plain_path(std::string_view word) {
  std::string path;
  while (!word.empty()) {
    const std::size_t end = std::min(word.find('/'), word.size());
    const std::string_view part = word.substr(0, end);
    word.remove_prefix(std::min(end + 1, word.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..")
      return fail(Code::kInvalid,
                  "the path may not hold \"..\": say it from the top of the volume");
    path += (path.empty() ? "" : "/") + std::string(part);
  }
  return path;
}

// "data", "data@monday", "data:/etc", "data@monday:/etc/app.conf"; with --from in a backup.
Result<ContentPlace> place_of(const Invocation& line, std::string_view word) {
  const std::size_t colon = word.find(':');
  TRY(const auto ref, volume_ref(word.substr(0, colon)));
  ContentPlace place{
      .volume = ref.volume, .snapshot = ref.snapshot, .from = {}, .backup = {}, .path = {}};
  if (colon != std::string_view::npos) {
    TRY(place.path, plain_path(word.substr(colon + 1)));
  }
  if (line.from.empty() && line.backup.empty()) return place;
  if (line.from.empty()) return fail(Code::kInvalid, "--backup needs --from DIR, its folder");
  if (!place.snapshot.empty())
    return fail(Code::kInvalid, "a backup is named by --backup ID; leave @{} out", place.snapshot);
  TRY(place.from, backup_place(line, line.from, "--from DIR"));
  place.backup = line.backup;
  return place;
}

std::string text_of(const ContentPlace& place) {
  return fmt::format("{}{}{}:/{}", place.volume, place.snapshot.empty() ? "" : "@", place.snapshot,
                     place.path);
}

Result<std::shared_ptr<VolumeContent>> content_of(Session& session) {
  TRY(auto core, session.services());
  return core.content;
}

Error suggest(Session& session, Error error, const ContentPlace& place) {
  const auto core = session.services();
  if (!core || !place.from.folder.empty()) return error;
  if (error.text.find("does not exist") == std::string::npos) return error;
  return suggest_volume(*core, std::move(error), place.volume);
}

// What could not be shown or kept is told on stderr, and by the exit code.
int tell_left_out(Session& session, const LeftOut& left_out) {
  if (left_out.count == 0) return kDone;
  for (const std::string& note : left_out.notes)
    session.context.err << "fairlead: left out: " << printable(note) << '\n';
  if (left_out.count > left_out.notes.size())
    session.context.err << "fairlead: left out: " << left_out.count - left_out.notes.size()
                        << " more\n";
  return kIncomplete;
}

// ---- ls-files

std::string mode_text(const ContentEntry& entry) {
  constexpr std::string_view kKinds = "-dlpbs";  // in the order of ContentKind
  std::string text(1, kKinds[static_cast<std::size_t>(entry.kind)]);
  for (int shift = 6; shift >= 0; shift -= 3) {
    const unsigned bits = entry.mode >> shift;
    text += (bits & 4U) != 0 ? 'r' : '-';
    text += (bits & 2U) != 0 ? 'w' : '-';
    text += (bits & 1U) != 0 ? 'x' : '-';
  }
  const auto special = [&](unsigned bit, std::size_t at, char with, char without) {
    if ((entry.mode & bit) != 0) text[at] = text[at] == 'x' ? with : without;
  };
  special(04000, 3, 's', 'S');
  special(02000, 6, 's', 'S');
  special(01000, 9, 't', 'T');
  return text;
}

std::string time_text(long long seconds) {
  const std::time_t time = seconds;
  std::tm utc{};
  if (::gmtime_r(&time, &utc) == nullptr) return "-";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string line_of(const ContentEntry& entry, bool long_form) {
  const std::string path = entry.path + (entry.kind == ContentKind::kFolder ? "/" : "");
  if (!long_form) return path;
  const std::string target = entry.target.empty() ? "" : " -> " + entry.target;
  return fmt::format("{} {:>6} {:>6} {:>12} {} {}{}", mode_text(entry), entry.uid, entry.gid,
                     entry.size, time_text(entry.modified), path, target);
}

std::string hex_of(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// A path may hold any bytes, JSON only text: where the two differ the bytes are there too, in hex.
Document document_of(const ContentEntry& entry) {
  const std::string path = printable(entry.path);
  Document document{{"path", path},
                    {"kind", std::string(to_string(entry.kind))},
                    {"mode", entry.mode},
                    {"uid", entry.uid},
                    {"gid", entry.gid},
                    {"size", entry.size},
                    {"modified", time_text(entry.modified)}};
  if (path != entry.path) document.add("path_hex", hex_of(entry.path));
  if (!entry.target.empty()) document.add("target", printable(entry.target));
  return document;
}

Result<LeftOut> list(Session& session, const ContentPlace& place) {
  const Invocation& line = session.line;
  TRY(const auto content, content_of(session));
  Document documents = Document::array();
  const auto reach = line.recursive ? VolumeContent::Reach::kBelow : VolumeContent::Reach::kHere;
  auto left_out = content->list(place, reach, [&](const ContentEntry& entry) -> Status {
    if (line.json)
      documents.push_back(document_of(entry));
    else
      session.print(line_of(entry, line.long_form && !line.quiet));
    if (!session.context.out) return fail(Code::kIo, "the output is closed or full");
    return {};
  });
  if (!left_out) return fail(suggest(session, left_out.error(), place));
  if (line.json) session.print_json(documents);
  return left_out;
}

// ---- cat, cp

Status cat(Session& session, LongVerb& verb, const ContentPlace& place) {
  TRY(const auto content, content_of(session));
  const auto done = content->read(place, session.context.out_fd, verb.progress());
  if (!done) return fail(suggest(session, done.error(), place));
  return {};
}

Result<volume::ContentReport> copy(Session& session, LongVerb& verb, const ContentPlace& place,
                                   const std::string& to) {
  TRY(const auto content, content_of(session));
  const bool to_stdout = to == "-";
  auto report = to_stdout ? content->archive(place, session.context.out_fd, verb.progress())
                          : content->copy(place, to, verb.progress());
  if (!report) return fail(suggest(session, report.error(), place));
  return report;
}

void show_copied(Session& session, const ContentPlace& place, const std::string& to,
                 const volume::ContentReport& report) {
  if (session.line.json)
    return session.print_json({{"entries", report.entries},
                               {"bytes", report.bytes},
                               {"left_out", report.left_out.count}});
  if (session.quiet()) return;
  session.print(fmt::format("{} -> {}: {} entr{}, {}", text_of(place), to, report.entries,
                            report.entries == 1 ? "y" : "ies", size_text(report.bytes)));
}

Result<std::string> destination(const std::string& word) {
  if (word == "-") return word;
  if (const std::size_t colon = word.find(':');
      colon != std::string::npos && word.find('/') > colon)
    return fail(Code::kInvalid,
                "copying into a volume is the runtime's: docker cp, or a container that has it "
                "mounted; a file of that name here is \"./{}\"",
                word);
  TRY(auto path, absolute_path(word, "DEST"));
  // "x/" says that x is a folder
  if (word.ends_with('/') && !path.ends_with('/')) path += '/';
  return path;
}

}  // namespace

int volume_ls_files(Session& session) {
  const auto place = place_of(session.line, session.line.names[0]);
  if (!place) return session.misused(place.error());
  const auto left_out = list(session, *place);
  if (!left_out) return session.failed("list " + text_of(*place), left_out.error());
  return tell_left_out(session, *left_out);
}

int volume_cat(Session& session) {
  const std::string& word = session.line.names[0];
  const auto place = place_of(session.line, word);
  if (!place) return session.misused(place.error());
  if (place->path.empty())
    return session.misused({Code::kInvalid, 0, fmt::format("which file? say {}:/PATH", word)});
  LongVerb verb(session, "read " + text_of(*place), place->volume);
  return verb.finish(cat(session, verb, *place));
}

int volume_copy(Session& session) {
  const auto place = place_of(session.line, session.line.names[0]);
  if (!place) return session.misused(place.error());
  const auto to = destination(session.line.names[1]);
  if (!to) return session.misused(to.error());
  LongVerb verb(session, "copy " + text_of(*place), place->volume);
  const auto report = copy(session, verb, *place, *to);
  if (!report) return verb.finish(fail(report.error()));
  verb.clear_bar();
  if (*to != "-") show_copied(session, *place, *to, *report);
  return tell_left_out(session, report->left_out);
}

}  // namespace fairlead::cli
