// Words of the volume commands as values: "data@monday", "+5g", "team=a tier-".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin-api/cli/invocation.h"

namespace fairlead::cli {

// "data" or "data@monday".
struct VolumeRef {
  std::string volume, snapshot;

  std::string text() const { return snapshot.empty() ? volume : volume + "@" + snapshot; }
};
Result<VolumeRef> volume_ref(std::string_view word);
// Of two words or one: "data monday" and "data@monday" are the same.
Result<VolumeRef> volume_ref(const std::vector<std::string>& words);
// One that must name a snapshot.
Result<VolumeRef> snapshot_ref(const std::vector<std::string>& words);

struct SizeChange {
  std::uint64_t bytes = 0;
  bool relative = false;  // "+5g": so much more
};
Result<SizeChange> size_change(std::string_view word);

// "team=a" sets, "team-" takes away.
Result<std::map<std::string, std::optional<std::string>>> label_changes(
    const std::vector<std::string>& words);

// -o and --label for a volume of that name.
Result<volume::VolumeSpec> volume_spec_of(const Invocation& line, std::string_view name);

// Absolute, as the services want it.
Result<std::string> absolute_path(std::string_view word, std::string_view what);

// What is missing may have been mistyped: adds the closest name to a kNotFound that names none.
Error suggest_volume(const CliServices& core, Error error, std::string_view volume);
Error suggest_snapshot(const CliServices& core, Error error, const VolumeRef& ref);

}  // namespace fairlead::cli
