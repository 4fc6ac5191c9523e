#include "plugin-api/cli/complete_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "plugin-api/cli/text.h"
#include "plugin-api/doctor/checks.h"

namespace fairlead::cli {

namespace {

using Candidates = std::vector<Candidate>;

// "*" is any group, or any command. The first row that fits counts.
struct Place {
  std::string_view group, command, word;
  Names names;
};

constexpr auto kPlaces = std::to_array<Place>({
    {"network", "create", "NAME", Names::kNone},
    {"network", "*", "NAME", Names::kNetworks},
    {"pool", "create", "NAME", Names::kNone},
    {"pool", "*", "NAME", Names::kPools},
    {"trash", "*", "NAME", Names::kTrash},
    {"volume", "create", "NAME", Names::kNone},
    {"volume", "import", "NAME", Names::kNone},
    {"volume", "restore", "NAME", Names::kNone},
    {"volume", "recover", "NAME", Names::kNone},
    {"volume", "*", "NAME", Names::kVolumes},
    {"snapshot", "create", "VOLUME[@SNAPSHOT]", Names::kVolumes},
    {"snapshot", "create", "SNAPSHOT", Names::kNone},
    {"policy", "*", "ID", Names::kPolicies},
    {"backup", "*", "ID", Names::kBackups},
    {"*", "*", "VOLUME", Names::kVolumes},
    {"*", "*", "VOLUME@SNAPSHOT", Names::kSnapshots},
    {"*", "*", "NAME[@SNAPSHOT]", Names::kVolumesOrSnapshots},
    {"*", "*", "NAME[@SNAPSHOT][:PATH]", Names::kVolumesOrSnapshots},
    {"*", "*", "NAME[@SNAPSHOT]:PATH", Names::kVolumesOrSnapshots},
    {"*", "*", "SOURCE[@SNAPSHOT]", Names::kVolumesOrSnapshots},
    {"*", "*", "SNAPSHOT", Names::kSnapshotsOfVolume},
    {"*", "*", "NETWORK", Names::kNetworks},
    {"*", "*", "ENDPOINT", Names::kEndpoints},
    {"*", "*", "CONTAINER", Names::kEndpoints},
    {"*", "*", "FROM", Names::kPeers},
    {"*", "*", "TO", Names::kPeers},
    {"*", "*", "A", Names::kPeers},
    {"*", "*", "B", Names::kPeers},
    {"*", "*", "ADDRESS", Names::kAddresses},
    {"*", "*", "POOL", Names::kPools},
    {"*", "*", "JOB", Names::kJobs},
    {"*", "*", "HOST", Names::kHosts},
    {"*", "*", "BACKUP", Names::kBackups},
    {"*", "*", "CHECK", Names::kChecks},
    {"*", "*", "FILE", Names::kFiles},
    {"*", "*", "DEVICE", Names::kFiles},
    {"*", "*", "DEST", Names::kFiles},
    {"*", "*", "DIR", Names::kFolders},
});

Result<Candidates> networks(const CliServices& core) {
  TRY(const auto all, core.networks->list_networks());
  Candidates found;
  for (const auto& [network, endpoints] : all)
    found.push_back(
        {title_of(network), fmt::format("{}, {} endpoints", network.options.mode, endpoints)});
  return found;
}

Result<Candidates> endpoints(const CliServices& core) {
  TRY(const auto all, core.networks->list_endpoints(std::nullopt));
  Candidates found;
  for (const network::Endpoint& endpoint : all)
    found.push_back(
        {endpoint.names.name.empty() ? short_id(endpoint.container) : endpoint.names.name,
         joined(endpoint.addresses)});
  return found;
}

Result<Candidates> peers(const CliServices& core) {
  TRY(auto found, networks(core));
  TRY(const auto containers, endpoints(core));
  found.insert(found.end(), containers.begin(), containers.end());
  for (const char* other : {"any", "outside", "host"}) found.push_back({other});
  return found;
}

Result<Candidates> addresses(const CliServices& core) {
  TRY(const auto all, core.networks->list_leases(std::nullopt));
  Candidates found;
  for (const auto& lease : all) found.push_back({lease.address.to_string(), lease.holder});
  return found;
}

Result<Candidates> policies(const CliServices& core) {
  TRY(const auto all, core.networks->list_policies());
  Candidates found;
  for (const network::Policy& policy : all)
    found.push_back(
        {policy.id, fmt::format("{} {} -> {}", to_string(policy.spec.action),
                                to_string(policy.spec.from), to_string(policy.spec.to))});
  return found;
}

enum class Which { kVolumes, kSnapshots, kBoth };
Result<Candidates> volumes(const CliServices& core, Which which) {
  TRY(const auto all, core.volumes->list());
  Candidates found;
  for (const volume::Volume& one : all) {
    if (which != Which::kSnapshots) found.push_back({one.name.str(), one.backend});
    if (which == Which::kVolumes) continue;
    for (const volume::Snapshot& snapshot : one.snapshots)
      found.push_back({fmt::format("{}@{}", one.name.str(), snapshot.name.str()), "snapshot"});
  }
  return found;
}

Result<Candidates> snapshots_of(const CliServices& core, std::string_view volume) {
  TRY(const auto one, core.volumes->inspect(std::string(volume)));
  Candidates found;
  for (const volume::Snapshot& snapshot : one.snapshots) found.push_back({snapshot.name.str()});
  return found;
}

Result<Candidates> pools(const CliServices& core) {
  TRY(const auto all, core.pools->list());
  Candidates found;
  for (const volume::VolumePool& pool : all) found.push_back({pool.name.str(), pool.fstype});
  return found;
}

Result<Candidates> trash(const CliServices& core) {
  TRY(const auto all, core.volumes->trash());
  Candidates found;
  for (const volume::TrashedVolume& one : all)
    found.push_back({one.volume.name.str(), short_id(one.volume.id)});
  return found;
}

Result<Candidates> jobs(const CliServices& core) {
  TRY(const auto all, core.jobs->list());
  Candidates found;
  for (const volume::Job& job : all)
    found.push_back({job.id, fmt::format("{} {}", job.verb, job.volume)});
  return found;
}

Result<Candidates> backups(const CliServices& core, std::string_view folder) {
  // A listing of another host takes longer than a person waits for a completion.
  if (!folder.starts_with('/')) return Candidates();
  TRY(const auto all, core.archives->backups(volume::BackupPlace(std::string(folder))));
  Candidates found;
  for (const volume::BackupInfo& one : all) found.push_back({one.id, one.volume});
  return found;
}

Result<Candidates> hosts(const CliSettings& settings, const CliContext& context) {
  TRY(const json::Json answer, context.ask_daemon(settings, "GET", "/v1/hosts"));
  TRY(const auto object, json::Object::of(answer));
  TRY(const auto all, object.objects_or_empty("hosts"));
  Candidates found;
  for (const json::Object& host : all) {
    TRY(const auto name, host.string("name"));
    TRY(const auto state, host.string("state"));
    found.push_back({name, state});
  }
  return found;
}

Result<Candidates> read_names(Names kind, std::string_view before, const CliSettings& settings,
                              const CliContext& context) {
  if (kind == Names::kHosts) return hosts(settings, context);
  TRY(const auto core, context.open(settings));
  switch (kind) {
    case Names::kNetworks:
      return networks(core);
    case Names::kEndpoints:
      return endpoints(core);
    case Names::kPeers:
      return peers(core);
    case Names::kAddresses:
      return addresses(core);
    case Names::kPolicies:
      return policies(core);
    case Names::kVolumes:
      return volumes(core, Which::kVolumes);
    case Names::kSnapshots:
      return volumes(core, Which::kSnapshots);
    case Names::kVolumesOrSnapshots:
      return volumes(core, Which::kBoth);
    case Names::kSnapshotsOfVolume:
      return snapshots_of(core, before);
    case Names::kPools:
      return pools(core);
    case Names::kTrash:
      return trash(core);
    case Names::kJobs:
      return jobs(core);
    case Names::kBackups:
      return backups(core, before);
    default:
      return Candidates();
  }
}

Candidates checks() {
  Candidates found;
  for (const doctor::Check& check : doctor::checks())
    found.push_back({std::string(check.id), std::string(check.about)});
  return found;
}

bool fits(std::string_view pattern, std::string_view word) {
  return pattern == "*" || pattern == word;
}

// "[NAME...]" is "NAME"; brackets within a word belong to it.
std::string_view bare(std::string_view word) {
  if (word.starts_with('[') && word.ends_with(']')) word = word.substr(1, word.size() - 2);
  if (word.ends_with("...")) word.remove_suffix(3);
  return word;
}

}  // namespace

Names names_at(std::string_view group, std::string_view command, std::string_view word) {
  const auto* place = std::ranges::find_if(kPlaces, [&](const Place& one) {
    return fits(one.group, group) && fits(one.command, command) && one.word == bare(word);
  });
  return place == kPlaces.end() ? Names::kNone : place->names;
}

std::vector<Candidate> names_of(Names kind, std::string_view before, const CliSettings& settings,
                                const CliContext& context) {
  if (kind == Names::kNone || kind == Names::kFiles || kind == Names::kFolders) return {};
  if (kind == Names::kChecks) return checks();
  if (context.uid != 0 && kind != Names::kHosts) return {};
  std::error_code failed;
  if (!settings.state_dir.empty() && !std::filesystem::exists(settings.state_dir, failed))
    return {};  // opening it would make it
  auto found = read_names(kind, before, settings, context);
  return found ? std::move(*found) : Candidates();
}

}  // namespace fairlead::cli
