// The commands that change existing volumes: name, size, labels, content.
#include "plugin-api/cli/backup_arguments.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/group_commands.h"
#include "plugin-api/cli/long_verb.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/cli/volume_arguments.h"

namespace fairlead::cli {

using native::Document;
using volume::Volume;
using volume::VolumeStatus;

namespace {

void show(Session& session, const Volume& volume, std::string_view text) {
  if (session.line.json)
    session.print_json(native::encode_volume(volume));
  else if (!session.quiet())
    session.print(text);
}

Status rename(Session& session, const std::string& from, const VolumeName& to) {
  TRY(auto core, session.services());
  const auto volume = core.volumes->rename(from, to.str());
  if (!volume) return fail(suggest_volume(core, volume.error(), from));
  show(session, *volume, volume->name.str());
  return {};
}

Result<std::uint64_t> wanted_size(const CliServices& core, const std::string& name,
                                  const SizeChange& change) {
  if (!change.relative) return change.bytes;
  TRY(auto volume, core.volumes->inspect(name));
  TRY(auto status, core.volumes->status(volume));
  if (!status.size)
    return fail(Code::kInvalid, "volume {} has no limit to add to: give the size itself", name);
  if (change.bytes > UINT64_MAX - *status.size)
    return fail(Code::kInvalid, "so large a volume cannot be");
  return *status.size + change.bytes;
}

Status resize(Session& session, const std::string& name, const SizeChange& change) {
  TRY(auto core, session.services());
  const auto size = wanted_size(core, name, change);
  if (!size) return fail(suggest_volume(core, size.error(), name));
  const auto volume = core.volumes->resize(name, *size);
  if (!volume) return fail(suggest_volume(core, volume.error(), name));
  show(session, *volume, fmt::format("{}: {}", name, size_text(*size)));
  session.warn(volume->warnings);
  return {};
}

Status label(Session& session, const std::string& name,
             const std::map<std::string, std::optional<std::string>>& changes) {
  TRY(auto core, session.services());
  const auto volume = core.volumes->set_labels(name, changes);
  if (!volume) return fail(suggest_volume(core, volume.error(), name));
  show(session, *volume, name);
  return {};
}

Status set(Session& session, const std::string& name,
           const std::map<std::string, std::optional<std::string>>& changes) {
  TRY(auto core, session.services());
  const auto volume = core.volumes->set_options(name, changes);
  if (!volume) return fail(suggest_volume(core, volume.error(), name));
  show(session, *volume, name);
  return {};
}

// ---- usage

std::string percent_text(const VolumeStatus& status) {
  if (!status.size || !status.used || *status.size == 0) return "-";
  return fmt::format("{:.0f} %",
                     100.0 * static_cast<double>(*status.used) / static_cast<double>(*status.size));
}

std::string number_text(std::optional<std::uint64_t> value) {
  return value ? std::to_string(*value) : "-";
}

struct Measured {
  std::string name;
  VolumeStatus usage;
};

void show_usage(Session& session, const std::vector<Measured>& all) {
  if (session.line.json) {
    Document documents = Document::array();
    for (const auto& [name, usage] : all) {
      Document document{{"name", name}};
      const Document figures = native::encode_usage(usage);
      for (const auto& [key, value] : figures.members()) document.add(key, value);
      documents.push_back(std::move(document));
    }
    return session.print_json(documents);
  }
  Table table({{"VOLUME NAME", Column::Fit::kShrink},
               {"SIZE"},
               {"USED"},
               {"USED %"},
               {"IN SNAPSHOTS"},
               {"INODES"},
               {"INODES USED"}});
  for (const auto& [name, usage] : all)
    table.add({name, size_text(usage.size), size_text(usage.used), percent_text(usage),
               size_text(usage.only_in_snapshots), number_text(usage.inodes),
               number_text(usage.inodes_used)});
  session.print(table);
}

int measure(Session& session, const std::string& name, std::vector<Measured>& all) {
  LongVerb verb(session, "measure volume " + name, name);
  const auto core = session.services();
  if (!core) return verb.finish(fail(core.error()));
  auto usage = core->volumes->usage(name, verb.progress());
  if (!usage) return verb.finish(fail(suggest_volume(*core, usage.error(), name)));
  all.push_back({name, std::move(*usage)});
  return verb.finish({});
}

// ---- check

void show_report(Session& session, const std::string& name, const volume::CheckReport& report) {
  if (session.line.json) return session.print_json(native::encode_check(report));
  for (const std::string& finding : report.findings) session.print(finding);
  if (!session.quiet())
    session.print(fmt::format("{}: {}", name, report.clean ? "clean" : "not clean"));
}

// ---- clone and rollback

Status clone(Session& session, LongVerb& verb, const VolumeRef& source,
             const volume::VolumeSpec& spec) {
  TRY(auto core, session.services());
  const auto volume = core.volumes->create(spec, verb.progress());
  verb.clear_bar();
  if (!volume) return fail(suggest_snapshot(core, volume.error(), source));
  show(session, *volume, volume->name.str());
  return {};
}

Status roll_back(Session& session, LongVerb& verb, const VolumeRef& ref) {
  TRY(auto core, session.services());
  const auto kept = core.volumes->roll_back(ref.volume, ref.snapshot, verb.progress());
  verb.clear_bar();
  if (!kept) return fail(suggest_snapshot(core, kept.error(), ref));
  TRY(auto volume, core.volumes->inspect(ref.volume));
  if (session.line.json)
    session.print_json(native::encode_snapshot(volume.name, *kept));
  else if (session.quiet())
    session.print(fmt::format("{}@{}", ref.volume, kept->name.str()));
  else
    session.print(fmt::format("{} is as in {}; what it held is kept as {}@{}", ref.volume,
                              ref.text(), ref.volume, kept->name.str()));
  return {};
}

}  // namespace

int volume_rename(Session& session) {
  const std::string& from = session.line.names[0];
  const auto to = VolumeName::parse(session.line.names[1]);
  if (!to) return session.misused(to.error());
  return session.finish("rename volume " + from, rename(session, from, *to));
}

int volume_resize(Session& session) {
  const std::string& name = session.line.names[0];
  const auto change = size_change(session.line.names[1]);
  if (!change) return session.misused(change.error());
  return session.finish("resize volume " + name, resize(session, name, *change));
}

int volume_label(Session& session) {
  const std::string& name = session.line.names[0];
  const auto changes = label_changes({session.line.names.begin() + 1, session.line.names.end()});
  if (!changes) return session.misused(changes.error());
  return session.finish("label volume " + name, label(session, name, *changes));
}

int volume_set(Session& session) {
  const std::string& name = session.line.names[0];
  const auto changes = option_changes({session.line.names.begin() + 1, session.line.names.end()});
  if (!changes) return session.misused(changes.error());
  return session.finish("set options of volume " + name, set(session, name, *changes));
}

int volume_usage(Session& session) {
  std::vector<Measured> all;
  int exit_code = kDone;
  for (const std::string& name : session.line.names) {
    const int one = measure(session, name, all);
    if (one != kDone) exit_code = one;
    if (one == kInterrupted) break;
  }
  if (!all.empty() || session.line.json) show_usage(session, all);
  return exit_code;
}

int volume_check(Session& session) {
  const std::string& name = session.line.names[0];
  LongVerb verb(session, "check volume " + name, name);
  const auto core = session.services();
  if (!core) return verb.finish(fail(core.error()));
  const auto report = core->volumes->check(name, session.line.repair, verb.progress());
  if (!report) return verb.finish(fail(suggest_volume(*core, report.error(), name)));
  verb.clear_bar();
  show_report(session, name, *report);
  return report->clean ? kDone : kFailed;
}

int volume_clone(Session& session) {
  if (!session.line.group.empty()) return group_clone(session);
  if (const auto given = needs_words(session.line, {"SOURCE[@SNAPSHOT]", "NEW"}); !given)
    return session.misused(given.error());
  const auto source = volume_ref(session.line.names[0]);
  if (!source) return session.misused(source.error());
  auto spec = volume_spec_of(session.line, session.line.names[1]);
  if (!spec) return session.misused(spec.error());
  volume::VolumeOptions& options = spec->options;
  const VolumeRef named{options.from_volume, options.from_snapshot};
  if (!named.volume.empty() && named.text() != source->text())
    return session.misused(
        {Code::kInvalid, 0, "the source is named twice: -o from= is not needed"});
  options.from_volume = source->volume;
  options.from_snapshot = source->snapshot;
  LongVerb verb(session, "create volume " + spec->name.str(), spec->name.str());
  return verb.finish(clone(session, verb, *source, *spec));
}

int volume_rollback(Session& session) {
  if (!session.line.group.empty()) return group_rollback(session);
  if (const auto given = needs_words(session.line, {"NAME[@SNAPSHOT]"}); !given)
    return session.misused(given.error());
  const auto ref = snapshot_ref(session.line.names);
  if (!ref) return session.misused(ref.error());
  LongVerb verb(session,
                fmt::format("roll back to snapshot {} of volume {}", ref->snapshot, ref->volume),
                ref->volume);
  return verb.finish(roll_back(session, verb, *ref));
}

}  // namespace fairlead::cli
