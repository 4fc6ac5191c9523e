#include "base/hash.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/long_verb.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/cli/volume_arguments.h"

namespace fairlead::cli {

using native::Document;
using volume::Volume;
using volume::VolumeStatus;

namespace {

struct Row {
  Volume volume;
  VolumeStatus status;
};

Result<Row> row_of(const CliServices& core, Volume volume) {
  TRY(auto status, core.volumes->status(volume));
  return Row{std::move(volume), std::move(status)};
}

std::string yes_no(std::optional<bool> value) { return !value ? "-" : *value ? "yes" : "no"; }

std::string age_text(const Volume& volume, long long now) {
  return volume.phase == volume::Phase::kReady ? ago(volume.created, now)
                                               : std::string(volume::to_string(volume.phase));
}

Table table_of(const Session& session, const std::vector<Row>& rows) {
  using enum Column::Fit;
  Table table({{"VOLUME NAME", kShrink},
               {"BACKEND"},
               {"SIZE"},
               {"USED"},
               {"SNAPSHOTS"},
               {"IN USE"},
               {"HEALTH", kShrink},
               {"CREATED"}});
  for (const auto& [volume, status] : rows)
    table.add({volume.name.str(), volume.backend, size_text(status.size), size_text(status.used),
               std::to_string(volume.snapshots.size()), yes_no(status.in_use), status.health,
               age_text(volume, session.context.now)});
  return table;
}

Result<std::vector<Row>> filtered(Session& session) {
  TRY(auto core, session.services());
  const std::string& pool = session.line.pool;
  if (!pool.empty())
    if (const auto known = core.pools->inspect(pool);
        !known && known.error().code == Code::kNotFound)
      return fail(known.error());
  TRY(auto volumes, core.volumes->list());
  std::vector<Row> rows;
  for (Volume& volume : volumes) {
    if (!session.passes_filters(volume.name.str())) continue;
    if (!pool.empty() && volume.pool != pool) continue;
    TRY(auto row, row_of(core, std::move(volume)));
    rows.push_back(std::move(row));
  }
  return rows;
}

Status list(Session& session) {
  TRY(auto rows, filtered(session));
  if (session.line.json) {
    Document documents = Document::array();
    for (const auto& [volume, status] : rows)
      documents.push_back(native::encode_volume(volume, status));
    session.print_json(documents);
  } else if (session.quiet()) {
    for (const Row& row : rows) session.print(row.volume.name.str());
  } else {
    session.print(table_of(session, rows));
  }
  return {};
}

Status create(Session& session, LongVerb& verb, const volume::VolumeSpec& spec) {
  TRY(auto core, session.services());
  const auto volume = core.volumes->create(spec, verb.progress());
  verb.clear_bar();
  if (!volume) return fail(volume.error());
  if (session.line.json)
    session.print_json(native::encode_volume(*volume));
  else if (!session.quiet())
    session.print(volume->name.str());
  session.warn(volume->warnings);
  return {};
}

}  // namespace

int volume_list(Session& session) {
  if (auto known = session.check_filters(); !known) return session.misused(known.error());
  return session.finish("list volumes", list(session));
}

int volume_inspect(Session& session) {
  Document documents = Document::array();
  const int exit_code =
      session.for_each_name("inspect volume", [&](const std::string& name) -> Status {
        TRY(auto core, session.services());
        auto volume = core.volumes->inspect(name);
        if (!volume) return fail(suggest_volume(core, volume.error(), name));
        TRY(auto row, row_of(core, std::move(*volume)));
        documents.push_back(native::encode_volume(row.volume, row.status));
        return {};
      });
  session.print_json(documents);
  return exit_code;
}

int volume_create(Session& session) {
  const Invocation& line = session.line;
  const auto spec = volume_spec_of(line, line.names.empty() ? random_hex(64) : line.names.front());
  if (!spec) return session.misused(spec.error());
  LongVerb verb(session, "create volume " + spec->name.str(), spec->name.str());
  return verb.finish(create(session, verb, *spec));
}

int volume_remove(Session& session) {
  return session.for_each_name("remove volume", [&](const std::string& name) -> Status {
    TRY(auto core, session.services());
    if (auto removed = core.volumes->remove(name); !removed)
      return fail(suggest_volume(core, removed.error(), name));
    if (!session.quiet()) session.print(name);
    return {};
  });
}

}  // namespace fairlead::cli
