// The names of what there is, for completions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin-api/cli/cli.h"

namespace fairlead::cli {

// What can stand at a place of the line.
enum class Names {
  kNone,  // a new name, a size: nothing to propose
  kNetworks,
  kEndpoints,
  kPeers,  // of a policy: networks, containers, and what is no container
  kAddresses,
  kPolicies,
  kVolumes,
  kSnapshots,           // VOLUME@SNAPSHOT
  kVolumesOrSnapshots,  // both
  kSnapshotsOfVolume,   // SNAPSHOT, of the volume in `before`
  kPools,
  kTrash,
  kJobs,
  kHosts,
  kBackups,  // in the folder in `before`
  kChecks,   // of the doctor
  kFiles,
  kFolders,
};

struct Candidate {
  std::string word, says = {};  // `says`: what a shell may show beside it
};

// What stands at the argument `word` ("NAME[@SNAPSHOT]", "[PORT...]") of a command.
Names names_at(std::string_view group, std::string_view command, std::string_view word);

// Empty where the store cannot be read: the user is not root, it is broken, the daemon is away.
std::vector<Candidate> names_of(Names kind, std::string_view before, const CliSettings& settings,
                                const CliContext& context);

}  // namespace fairlead::cli
