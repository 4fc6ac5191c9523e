#include <algorithm>
#include <ostream>

#include "base/hash.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/long_verb.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/cli/volume_arguments.h"
#include "plugin-api/cli/volume_filters.h"

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
               std::to_string(volume.snapshots.size()), yes_no(status.in_use),
               std::string(to_string(status.condition)), age_text(volume, session.context.now)});
  return table;
}

Result<std::vector<Row>> filtered(Session& session, const VolumeFilters& filters) {
  TRY(auto core, session.services());
  const std::string& pool = session.line.pool;
  if (!pool.empty())
    if (const auto known = core.pools->inspect(pool);
        !known && known.error().code == Code::kNotFound)
      return fail(known.error());
  TRY(auto volumes, core.volumes->list());
  const bool names_alone = session.quiet() && !session.line.json && !filters.need_status();
  std::vector<Row> rows;
  for (Volume& volume : volumes) {
    if (!pool.empty() && volume.pool != pool) continue;
    TRY(auto row,
        names_alone ? Result<Row>(Row{std::move(volume), {}}) : row_of(core, std::move(volume)));
    if (filters.pass(row.volume, row.status)) rows.push_back(std::move(row));
  }
  return rows;
}

// The table has one word for how a volume is; who sees another than "ok" wants to know more.
void hint_at_trouble(Session& session, const std::vector<Row>& rows) {
  const auto troubled = std::ranges::find_if(
      rows, [](const Row& row) { return row.status.condition != volume::Condition::kOk; });
  if (session.context.is_tty && troubled != rows.end())
    session.context.err << printable(fmt::format("What is the matter: fairlead volume inspect {}",
                                                 troubled->volume.name.str()))
                        << '\n';
}

Status list(Session& session, const VolumeFilters& filters) {
  TRY(auto rows, filtered(session, filters));
  if (session.line.json) {
    Document documents = Document::array();
    for (const auto& [volume, status] : rows)
      documents.push_back(native::encode_volume(volume, status));
    session.print_json(documents);
  } else if (session.quiet()) {
    for (const Row& row : rows) session.print(row.volume.name.str());
  } else {
    session.print(table_of(session, rows));
    hint_at_trouble(session, rows);
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
  const auto filters = VolumeFilters::parse(session.line.filters);
  if (!filters) return session.misused(filters.error());
  return session.finish("list volumes", list(session, *filters));
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
