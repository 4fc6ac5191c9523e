#include "base/hash.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/network_arguments.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"

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
               {"IN USE"},
               {"HEALTH", kShrink},
               {"CREATED"}});
  for (const auto& [volume, status] : rows)
    table.add({volume.name.str(), volume.backend, size_text(status.size), size_text(status.used),
               yes_no(status.in_use), status.health, age_text(volume, session.context.now)});
  return table;
}

Result<std::vector<Row>> filtered(Session& session) {
  TRY(auto core, session.services());
  TRY(auto volumes, core.volumes->list());
  std::vector<Row> rows;
  for (Volume& volume : volumes) {
    if (!session.passes_filters(volume.name.str())) continue;
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

Result<volume::VolumeSpec> spec_of(const Invocation& line) {
  volume::VolumeSpec spec;
  TRY(spec.name, VolumeName::parse(line.names.empty() ? random_hex(64) : line.names.front()));
  TRY(spec.options, key_values(line.options, "--opt", Values::kRequired));
  TRY(spec.labels, key_values(line.labels, "--label", Values::kOptional));
  return spec;
}

Status create(Session& session, const volume::VolumeSpec& spec) {
  TRY(auto core, session.services());
  TRY(auto volume, core.volumes->create(spec));
  if (session.line.json)
    session.print_json(native::encode_volume(volume));
  else if (!session.quiet())
    session.print(volume.name.str());
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
        TRY(auto volume, core.volumes->inspect(name));
        TRY(auto row, row_of(core, std::move(volume)));
        documents.push_back(native::encode_volume(row.volume, row.status));
        return {};
      });
  session.print_json(documents);
  return exit_code;
}

int volume_create(Session& session) {
  const auto spec = spec_of(session.line);
  if (!spec) return session.misused(spec.error());
  return session.finish(fmt::format("create volume {}", spec->name.str()), create(session, *spec));
}

int volume_remove(Session& session) {
  return session.for_each_name("remove volume", [&](const std::string& name) -> Status {
    TRY(auto core, session.services());
    TRY_STATUS(core.volumes->remove(name));
    if (!session.quiet()) session.print(name);
    return {};
  });
}

}  // namespace fairlead::cli
