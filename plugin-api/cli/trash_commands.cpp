#include <istream>
#include <ostream>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/progress_bar.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"

namespace fairlead::cli {

using native::Document;
using volume::TrashedVolume;

namespace {

std::string due_text(long long due, long long now) {
  return due > now ? "in " + time_left(static_cast<double>(due - now)) : "now";
}

Status list(Session& session) {
  TRY(auto core, session.services());
  TRY(auto trash, core.volumes->trash());
  Document documents = Document::array();
  Table table(
      {{"ID"}, {"VOLUME NAME", Column::Fit::kShrink}, {"BACKEND"}, {"REMOVED"}, {"GONE FOR GOOD"}});
  const long long now = session.context.now;
  for (const TrashedVolume& trashed : trash) {
    const volume::Volume& volume = trashed.volume;
    documents.push_back(native::encode_trashed(trashed));
    table.add({session.id_text(volume.id), volume.name.str(), volume.backend,
               ago(volume.deleted, now), due_text(trashed.due, now)});
    if (session.quiet() && !session.line.json) session.print(volume.id);
  }
  if (session.line.json)
    session.print_json(documents);
  else if (!session.quiet())
    session.print(table);
  return {};
}

// Finds an id by its first digits, too, because the table shows only those.
Result<std::string> full_id(const CliServices& core, const std::string& word) {
  TRY(auto trash, core.volumes->trash());
  std::string found;
  for (const TrashedVolume& trashed : trash) {
    if (trashed.volume.name.str() == word || trashed.volume.id == word) return word;
    if (word.size() < 4 || !trashed.volume.id.starts_with(word)) continue;
    if (!found.empty()) return fail(Code::kInvalid, "{} fits more than one id", word);
    found = trashed.volume.id;
  }
  return found.empty() ? word : found;
}

Status restore(Session& session, const std::string& word) {
  TRY(auto core, session.services());
  TRY(auto id, full_id(core, word));
  TRY(auto volume, core.volumes->restore_from_trash(id, session.line.as));
  if (session.line.json)
    session.print_json(native::encode_volume(volume));
  else if (!session.quiet())
    session.print(volume.name.str());
  return {};
}

bool is_sure(Session& session) {
  if (session.line.force || !session.context.in_is_tty) return true;
  session.context.err << "All removed volumes are gone for good then. Go on? [y/N] " << std::flush;
  std::string answer;
  std::getline(session.context.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

void show_removed(Session& session, std::size_t removed) {
  if (session.line.json)
    session.print_json({{"removed", removed}});
  else if (!session.quiet())
    session.print(fmt::format("{} volume{} gone for good", removed, removed == 1 ? "" : "s"));
}

Status empty_all(Session& session) {
  TRY(auto core, session.services());
  TRY(auto removed, core.volumes->empty_trash(""));
  show_removed(session, removed);
  return {};
}

}  // namespace

int trash_list(Session& session) { return session.finish("list the trash", list(session)); }

int trash_restore(Session& session) {
  if (!session.line.as.empty())
    if (auto name = VolumeName::parse(session.line.as); !name) return session.misused(name.error());
  const std::string& word = session.line.names[0];
  return session.finish("restore volume " + word, restore(session, word));
}

int trash_empty(Session& session) {
  if (session.line.names.empty())
    return is_sure(session) ? session.finish("empty the trash", empty_all(session)) : kFailed;
  std::size_t removed = 0;
  const int exit_code =
      session.for_each_name("empty trash of", [&](const std::string& word) -> Status {
        TRY(auto core, session.services());
        TRY(auto id, full_id(core, word));
        TRY(auto gone, core.volumes->empty_trash(id));
        if (gone == 0) return fail(Code::kInUse, "something still has it mounted");
        removed += gone;
        return {};
      });
  show_removed(session, removed);
  return exit_code;
}

}  // namespace fairlead::cli
