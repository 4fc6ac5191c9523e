#include <map>
#include <optional>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/group_commands.h"
#include "plugin-api/cli/long_verb.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/cli/volume_arguments.h"
#include "plugin-api/cli/volume_filters.h"

namespace fairlead::cli {

using native::Document;
using volume::Snapshot;
using volume::Volume;

namespace {

Status take(Session& session, LongVerb& verb, const VolumeRef& ref) {
  TRY(auto core, session.services());
  const auto taken = core.volumes->take_snapshot(ref.volume, ref.snapshot, verb.progress());
  verb.clear_bar();
  if (!taken) return fail(suggest_volume(core, taken.error(), ref.volume));
  TRY(auto name, VolumeName::parse(ref.volume));
  if (session.line.json)
    session.print_json(native::encode_snapshot(name, *taken));
  else if (!session.quiet())
    session.print(fmt::format("{}@{}", ref.volume, taken->name.str()));
  return {};
}

// A volume and the bytes that each of its snapshots alone holds, by id, where that is known.
struct Shown {
  Volume volume;
  std::map<std::string, std::uint64_t> space;

  std::optional<std::uint64_t> only_in(const Snapshot& snapshot) const {
    const auto found = space.find(snapshot.id);
    return found == space.end() ? std::nullopt : std::optional(found->second);
  }
};

Result<std::vector<Volume>> wanted_volumes(const CliServices& core,
                                           const std::vector<std::string>& names) {
  if (names.empty()) return core.volumes->list();
  std::vector<Volume> volumes;
  for (const std::string& name : names) {
    auto volume = core.volumes->inspect(name);
    if (!volume) return fail(suggest_volume(core, volume.error(), name));
    volumes.push_back(std::move(*volume));
  }
  return volumes;
}

// What cannot be measured is shown without a size, because the snapshots are there all the same.
Result<std::vector<Shown>> shown_volumes(Session& session, std::vector<std::string> names) {
  TRY(auto core, session.services());
  names.insert(names.end(), session.line.names.begin(), session.line.names.end());
  TRY(auto volumes, wanted_volumes(core, names));
  std::vector<Shown> all;
  for (Volume& volume : volumes) {
    Shown one{.volume = std::move(volume), .space = {}};
    if (!one.volume.snapshots.empty() && !session.quiet())
      if (auto space = core.volumes->snapshot_space(one.volume.name.str()))
        one.space = std::move(*space);
    all.push_back(std::move(one));
  }
  return all;
}

void show_table(Session& session, const std::vector<Shown>& all) {
  using enum Column::Fit;
  Columns table({{"VOLUME NAME", kShrink},
                 {"SNAPSHOT", kShrink},
                 {"ONLY HERE"},
                 {"MADE BY"},
                 {"GROUP"},
                 {"MOUNTED"},
                 {"CREATED"}},
                5);
  for (const Shown& one : all)
    for (const Snapshot& snapshot : one.volume.snapshots)
      table.add({one.volume.name.str(), snapshot.name.str(), size_text(one.only_in(snapshot)),
                 std::string(volume::to_string(snapshot.origin)),
                 snapshot.group.empty() ? "-" : session.id_text(snapshot.group),
                 snapshot.mounts.empty() ? "" : "yes", ago(snapshot.created, session.context.now)});
  session.print(table.table());
}

Status list(Session& session, std::vector<std::string> names) {
  TRY(const auto all, shown_volumes(session, std::move(names)));
  Document documents = Document::array();
  for (const Shown& one : all)
    for (const Snapshot& snapshot : one.volume.snapshots) {
      documents.push_back(
          native::encode_snapshot(one.volume.name, snapshot, one.only_in(snapshot)));
      if (session.quiet() && !session.line.json)
        session.print(fmt::format("{}@{}", one.volume.name.str(), snapshot.name.str()));
    }
  if (session.line.json)
    session.print_json(documents);
  else if (!session.quiet())
    show_table(session, all);
  return {};
}

Status drop(Session& session, const VolumeRef& ref) {
  TRY(auto core, session.services());
  if (auto dropped = core.volumes->drop_snapshot(ref.volume, ref.snapshot); !dropped)
    return fail(suggest_snapshot(core, dropped.error(), ref));
  if (!session.quiet()) session.print(ref.text());
  return {};
}

}  // namespace

int snapshot_create(Session& session) {
  if (!session.line.group.empty()) return group_snapshot_create(session);
  if (const auto given = needs_words(session.line, {"VOLUME[@SNAPSHOT]"}); !given)
    return session.misused(given.error());
  const auto ref = volume_ref(session.line.names);
  if (!ref) return session.misused(ref.error());
  LongVerb verb(session, "snapshot volume " + ref->volume, ref->volume);
  return verb.finish(take(session, verb, *ref));
}

int snapshot_list(Session& session) {
  auto names = volume_filters_of_snapshots(session.line.filters);
  if (!names) return session.misused(names.error());
  return session.finish("list snapshots", list(session, std::move(*names)));
}

int snapshot_remove(Session& session) {
  if (!session.line.group.empty()) return group_snapshot_remove(session);
  if (const auto given = needs_words(session.line, {"VOLUME@SNAPSHOT"}); !given)
    return session.misused(given.error());
  std::vector<VolumeRef> refs;
  for (const std::string& word : session.line.names) {
    auto ref = snapshot_ref({word});
    if (!ref) return session.misused(ref.error());
    refs.push_back(std::move(*ref));
  }
  int exit_code = kDone;
  for (const VolumeRef& ref : refs) {
    const Status dropped = drop(session, ref);
    if (dropped || (session.line.force && dropped.error().code == Code::kNotFound)) continue;
    exit_code = session.failed(
        fmt::format("remove snapshot {} of volume {}", ref.snapshot, ref.volume), dropped.error());
  }
  return exit_code;
}

}  // namespace fairlead::cli
