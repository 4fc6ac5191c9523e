#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/long_verb.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/cli/volume_arguments.h"

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

Result<std::vector<Volume>> shown_volumes(Session& session) {
  TRY(auto core, session.services());
  if (session.line.names.empty()) return core.volumes->list();
  const std::string& name = session.line.names.front();
  auto volume = core.volumes->inspect(name);
  if (!volume) return fail(suggest_volume(core, volume.error(), name));
  return std::vector<Volume>{std::move(*volume)};
}

void show_table(Session& session, const std::vector<Volume>& volumes) {
  using enum Column::Fit;
  Table table(
      {{"VOLUME NAME", kShrink}, {"SNAPSHOT", kShrink}, {"SIZE"}, {"MADE BY"}, {"CREATED"}});
  for (const Volume& volume : volumes)
    for (const Snapshot& snapshot : volume.snapshots)
      table.add({volume.name.str(), snapshot.name.str(), size_text(snapshot.size),
                 std::string(volume::to_string(snapshot.origin)),
                 ago(snapshot.created, session.context.now)});
  session.print(table);
}

Status list(Session& session) {
  TRY(auto volumes, shown_volumes(session));
  Document documents = Document::array();
  for (const Volume& volume : volumes)
    for (const Snapshot& snapshot : volume.snapshots) {
      documents.push_back(native::encode_snapshot(volume.name, snapshot));
      if (session.quiet() && !session.line.json)
        session.print(fmt::format("{}@{}", volume.name.str(), snapshot.name.str()));
    }
  if (session.line.json)
    session.print_json(documents);
  else if (!session.quiet())
    show_table(session, volumes);
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
  const auto ref = volume_ref(session.line.names);
  if (!ref) return session.misused(ref.error());
  LongVerb verb(session, "snapshot volume " + ref->volume, ref->volume);
  return verb.finish(take(session, verb, *ref));
}

int snapshot_list(Session& session) { return session.finish("list snapshots", list(session)); }

int snapshot_remove(Session& session) {
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
