// Removes the volumes that nobody uses.
#include <algorithm>
#include <istream>
#include <ostream>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/cli/volume_filters.h"

namespace fairlead::cli {

using native::Document;
using volume::Volume;
using volume::VolumeStatus;

namespace {

constexpr const char* kKeep = "keep";  // a label that keeps a volume from being pruned

struct Unused {
  Volume volume;
  VolumeStatus status;
};

// A name that was made up, because nobody gave one: 64 hex digits, as Docker's.
bool is_anonymous(const std::string& name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Result<std::vector<Unused>> unused(Session& session, const VolumeFilters& filters) {
  TRY(auto core, session.services());
  TRY(auto volumes, core.volumes->list());
  std::vector<Unused> found;
  for (Volume& volume : volumes) {
    if (volume.labels.contains(kKeep)) continue;
    if (!session.line.all && !is_anonymous(volume.name.str())) continue;
    TRY(auto status, core.volumes->status(volume));
    if (!is_unused(volume, status) || !filters.pass(volume, status)) continue;
    found.push_back({std::move(volume), std::move(status)});
  }
  return found;
}

bool goes_to_trash(const Volume& volume) { return volume.options.retain.count() > 0; }

std::string fate_of(const Volume& volume) {
  if (goes_to_trash(volume)) return "to the trash";
  if (volume.backend == "snapshot") return "its name; the snapshot stays";
  return "for good";
}

void show_plan(Session& session, const std::vector<Unused>& found) {
  if (session.line.json) {
    Document documents = Document::array();
    for (const auto& [volume, status] : found)
      documents.push_back(native::encode_volume(volume, status));
    return session.print_json(documents);
  }
  if (session.quiet()) {
    for (const Unused& one : found) session.print(one.volume.name.str());
    return;
  }
  Table table({{"VOLUME NAME", Column::Fit::kShrink},
               {"BACKEND"},
               {"USED"},
               {"SNAPSHOTS"},
               {"CREATED"},
               {"GOES"}});
  for (const auto& [volume, status] : found)
    table.add({volume.name.str(), volume.backend, size_text(status.used),
               std::to_string(volume.snapshots.size()), ago(volume.created, session.context.now),
               fate_of(volume)});
  session.print(table);
}

std::string count_text(std::size_t count) {
  return fmt::format("{} volume{}", count, count == 1 ? "" : "s");
}

Result<bool> is_sure(Session& session, const std::vector<Unused>& found) {
  if (session.line.force) return true;
  if (!session.context.in_is_tty)
    return fail(Code::kInvalid,
                "{} would be removed (--dry-run shows which); say -f to remove without a question",
                count_text(found.size()));
  std::ostream& err = session.context.err;
  for (const Unused& one : found)
    err << "  " << printable(one.volume.name.str()) << "  " << fate_of(one.volume) << '\n';
  err << "Nothing has these volumes mounted, but a container that is stopped may want them again. "
         "Remove "
      << count_text(found.size()) << "? [y/N] " << std::flush;
  std::string answer;
  std::getline(session.context.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

struct Removed {
  std::vector<std::string> names;
  std::size_t in_trash = 0;
  std::uint64_t bytes = 0;
  int exit_code = kDone;
};

// What is in use by now is not removed: the service asks the kernel again.
Removed remove(Session& session, const CliServices& core, const std::vector<Unused>& found) {
  Removed removed;
  for (const auto& [volume, status] : found) {
    const std::string& name = volume.name.str();
    const Status done = core.volumes->remove(name);
    if (!done && done.error().code == Code::kNotFound) continue;
    if (!done) {
      removed.exit_code = session.failed("remove volume " + name, done.error());
      continue;
    }
    removed.names.push_back(name);
    removed.in_trash += goes_to_trash(volume) ? 1 : 0;
    removed.bytes += goes_to_trash(volume) ? 0 : status.used.value_or(0);
  }
  return removed;
}

void show_removed(Session& session, const Removed& removed) {
  if (session.line.json)
    return session.print_json({{"removed", removed.names}, {"bytes", removed.bytes}});
  for (const std::string& name : removed.names) session.print(name);
  if (session.quiet()) return;
  std::string text = fmt::format("{} removed", count_text(removed.names.size()));
  if (removed.bytes > 0) text += fmt::format(", {} free again", size_text(removed.bytes));
  if (removed.in_trash > 0)
    text += fmt::format("; {} in the trash (fairlead trash ls)", removed.in_trash);
  session.print(text);
}

}  // namespace

int volume_prune(Session& session) {
  const auto filters = VolumeFilters::parse(session.line.filters);
  if (!filters) return session.misused(filters.error());
  const auto found = unused(session, *filters);
  if (!found) return session.failed("prune volumes", found.error());
  if (session.line.dry_run) {
    show_plan(session, *found);
    return kDone;
  }
  if (found->empty()) {
    show_removed(session, {});
    return kDone;
  }
  const auto sure = is_sure(session, *found);
  if (!sure) return session.misused(sure.error());
  if (!*sure) return kFailed;
  const auto core = session.services();
  if (!core) return session.failed("prune volumes", core.error());
  const Removed removed = remove(session, *core, *found);
  show_removed(session, removed);
  return removed.exit_code;
}

}  // namespace fairlead::cli
