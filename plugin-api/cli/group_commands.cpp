#include "plugin-api/cli/group_commands.h"

#include <algorithm>
#include <optional>
#include <ostream>

#include "plugin-api/cli/backup_arguments.h"
#include "plugin-api/cli/long_verb.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/cli/volume_arguments.h"

namespace fairlead::cli {

using native::Document;
using volume::VolumeSnapshot;

namespace {

// The one word beside --group, the name of a snapshot; empty when it is not given.
Result<std::string> snapshot_word(const Session& session) {
  const auto& names = session.line.names;
  if (names.empty()) return std::string();
  if (names.size() > 1)
    return fail(Code::kInvalid,
                "\"{}\" is too much: --group says which volumes, and one SNAPSHOT may follow",
                names[1]);
  TRY(auto name, SnapshotName::parse(names.front()));
  return name.str();
}

Result<std::string> needed_snapshot_word(const Session& session) {
  TRY(auto name, snapshot_word(session));
  if (name.empty())
    return fail(Code::kInvalid, "which snapshot of group {}? say --group {} SNAPSHOT",
                session.line.group, session.line.group);
  return name;
}

std::string action_of(const Session& session, std::string_view verb) {
  return fmt::format("{} group {}", verb, session.line.group);
}

void show(Session& session, const std::vector<VolumeSnapshot>& all) {
  if (session.line.json) {
    Document documents = Document::array();
    for (const VolumeSnapshot& one : all)
      documents.push_back(native::encode_snapshot(one.volume, one.snapshot));
    return session.print_json(documents);
  }
  for (const VolumeSnapshot& one : all)
    session.print(fmt::format("{}@{}", one.volume.str(), one.snapshot.name.str()));
}

// ---- clones

// "test" stands beside the name with a dash; what begins (or ends) with another mark is taken as it
// is.
std::string affixed(const Invocation& line, const std::string& name) {
  const auto bare = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  std::string text = name;
  if (!line.prefix.empty()) text = line.prefix + (bare(line.prefix.back()) ? "-" : "") + text;
  if (!line.suffix.empty()) text += (bare(line.suffix.front()) ? "-" : "") + line.suffix;
  return text;
}

Status are_of_one_moment(const CliServices& core, const std::vector<VolumeName>& members,
                         const std::string& snapshot) {
  std::optional<std::string> group;
  for (const VolumeName& name : members) {
    TRY(const auto volume, core.volumes->inspect(name.str()));
    const auto found = std::ranges::find_if(
        volume.snapshots, [&](const auto& one) { return one.name.str() == snapshot; });
    if (found == volume.snapshots.end())
      return fail(suggest_snapshot(
          core, {Code::kNotFound, 0, fmt::format("{} has no snapshot {}", name.str(), snapshot)},
          {name.str(), snapshot}));
    if (members.size() > 1 && (found->group.empty() || (group && *group != found->group)))
      return fail(Code::kConflict,
                  "the snapshots {} are not of one moment; clone the volumes one by one", snapshot);
    group = found->group;
  }
  return {};
}

// A clone for each volume, or none: those that were made are removed when one fails.
Status clone_all(Session& session, LongVerb& verb, const std::string& snapshot) {
  TRY(auto core, session.services());
  TRY(const auto members, core.groups->members(session.line.group));
  TRY_STATUS(are_of_one_moment(core, members, snapshot));
  std::vector<volume::VolumeSpec> specs;
  for (const VolumeName& name : members) {
    TRY(auto spec, volume_spec_of(session.line, affixed(session.line, name.str())));
    const auto there = core.volumes->inspect(spec.name.str());
    if (there)
      return fail(Code::kExists, "volume {} exists already; choose another --suffix or --prefix",
                  spec.name.str());
    spec.options.from_volume = name.str();
    spec.options.from_snapshot = snapshot;
    specs.push_back(std::move(spec));
  }
  std::vector<volume::Volume> made;
  for (const volume::VolumeSpec& spec : specs) {
    auto volume = core.volumes->create(spec, verb.progress());
    if (volume) {
      made.push_back(std::move(*volume));
      continue;
    }
    for (const volume::Volume& one : made) (void)core.volumes->remove(one.name.str());
    return fail(volume.error());
  }
  verb.clear_bar();
  Document documents = Document::array();
  for (const volume::Volume& one : made) {
    if (session.line.json)
      documents.push_back(native::encode_volume(one));
    else
      session.print(one.name.str());
  }
  if (session.line.json) session.print_json(documents);
  return {};
}

// ---- backups

void show(Session& session, const std::vector<volume::BackupInfo>& all) {
  if (session.line.json) {
    Document documents = Document::array();
    for (const volume::BackupInfo& one : all) documents.push_back(native::encode_backup(one));
    return session.print_json(documents);
  }
  for (const volume::BackupInfo& one : all)
    session.print(session.quiet()
                      ? one.id
                      : fmt::format("{}: {} of {}, {} newly written", one.id, size_text(one.bytes),
                                    one.volume, size_text(one.stored)));
}

// Of snapshots of one moment, which go when all are backed up.
Result<volume::LeftOut> back_up_all(Session& session, LongVerb& verb,
                                    const volume::BackupPlace& place,
                                    const volume::BackupOptions& options) {
  TRY(auto core, session.services());
  const std::string& group = session.line.group;
  TRY(const auto taken, core.groups->take(group, {}, verb.progress()));
  std::vector<volume::BackupInfo> made;
  Status done;
  for (const VolumeSnapshot& one : taken) {
    auto backup =
        core.archives->back_up(fmt::format("{}@{}", one.volume.str(), one.snapshot.name.str()),
                               place, options, verb.progress());
    if (!backup) {
      done = fail(backup.error());
      break;
    }
    made.push_back(std::move(*backup));
  }
  verb.clear_bar();
  for (const VolumeSnapshot& one : taken)
    if (const auto gone = core.volumes->drop_snapshot(one.volume.str(), one.snapshot.name.str());
        !gone)
      session.context.err << "fairlead: "
                          << printable(fmt::format("{}@{} is left: {}", one.volume.str(),
                                                   one.snapshot.name.str(), gone.error().text))
                          << '\n';
  show(session, made);
  if (!done) return fail(done.error());
  volume::LeftOut left_out;
  for (const volume::BackupInfo& one : made) left_out.add(one.left_out);
  return left_out;
}

}  // namespace

int group_snapshot_create(Session& session) {
  const auto name = snapshot_word(session);
  if (!name) return session.misused(name.error());
  LongVerb verb(session, action_of(session, "snapshot"), session.line.group);
  const auto run = [&]() -> Status {
    TRY(auto core, session.services());
    TRY(const auto taken, core.groups->take(session.line.group, *name, verb.progress()));
    verb.clear_bar();
    if (session.line.json || !session.quiet()) show(session, taken);
    return {};
  };
  return verb.finish(run());
}

int group_snapshot_remove(Session& session) {
  const auto name = needed_snapshot_word(session);
  if (!name) return session.misused(name.error());
  const auto run = [&]() -> Status {
    TRY(auto core, session.services());
    const auto gone = core.groups->drop(session.line.group, *name);
    if (!gone && session.line.force && gone.error().code == Code::kNotFound) return {};
    if (!gone) return fail(gone.error());
    if (session.line.json || !session.quiet()) show(session, *gone);
    return {};
  };
  return session.finish(action_of(session, fmt::format("remove snapshot {} of", *name)), run());
}

int group_rollback(Session& session) {
  const auto name = needed_snapshot_word(session);
  if (!name) return session.misused(name.error());
  LongVerb verb(session, action_of(session, fmt::format("roll back to snapshot {} of", *name)),
                session.line.group);
  const auto run = [&]() -> Status {
    TRY(auto core, session.services());
    TRY(const auto kept, core.groups->roll_back(session.line.group, *name, verb.progress()));
    verb.clear_bar();
    if (session.line.json || session.quiet()) {
      show(session, kept);
      return {};
    }
    for (const VolumeSnapshot& one : kept)
      session.print(fmt::format("{} is as in {}@{}; what it held is kept as {}@{}",
                                one.volume.str(), one.volume.str(), *name, one.volume.str(),
                                one.snapshot.name.str()));
    return {};
  };
  return verb.finish(run());
}

int group_clone(Session& session) {
  const auto name = needed_snapshot_word(session);
  if (!name) return session.misused(name.error());
  if (session.line.suffix.empty() && session.line.prefix.empty())
    return session.misused({Code::kInvalid, 0,
                            "how are the clones called? say --suffix test (db-test, files-test), "
                            "or --prefix"});
  LongVerb verb(session, action_of(session, "clone"), session.line.group);
  return verb.finish(clone_all(session, verb, *name));
}

int group_backup(Session& session) {
  if (!session.line.names.empty())
    return session.misused({Code::kInvalid, 0,
                            fmt::format("\"{}\" is too much: --group says which volumes",
                                        session.line.names.front())});
  const auto place = backup_place(session.line, session.line.to, "--to DIR");
  if (!place) return session.misused(place.error());
  const auto excludes = excludes_of(session.line);
  if (!excludes) return session.misused(excludes.error());
  const auto keep = retention_of(session.line);
  if (!keep) return session.misused(keep.error());
  LongVerb verb(session, action_of(session, "back up"), session.line.group);
  return verb.conclude(back_up_all(session, verb, *place, {.excludes = *excludes, .keep = *keep}));
}

}  // namespace fairlead::cli
