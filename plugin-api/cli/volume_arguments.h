// Parses the words of the volume commands: "data@monday", "+5g", "team=a tier-".
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
// Takes one word or two: "data monday" and "data@monday" mean the same.
Result<VolumeRef> volume_ref(const std::vector<std::string>& words);
// The same, but a snapshot is required.
Result<VolumeRef> snapshot_ref(const std::vector<std::string>& words);

struct SizeChange {
  std::uint64_t bytes = 0;
  bool relative = false;  // "+5g": the size grows by that
};
Result<SizeChange> size_change(std::string_view word);

// "team=a" sets a label, "team-" removes it.
Result<std::map<std::string, std::optional<std::string>>> label_changes(
    const std::vector<std::string>& words);

// The spec of a volume of that name, by -o and --label.
Result<volume::VolumeSpec> volume_spec_of(const Invocation& line, std::string_view name);

// kInvalid, naming the first that is missing, when fewer words are given: with --group they are
// not needed.
Status needs_words(const Invocation& line, const std::vector<std::string_view>& words);

// The absolute path, which the services require; targets on other hosts stay as they are.
Result<std::string> absolute_path(std::string_view word, std::string_view what);

// Adds the closest existing name to a kNotFound that suggests none, because the name may have been
// mistyped.
Error suggest_volume(const CliServices& core, Error error, std::string_view volume);
Error suggest_snapshot(const CliServices& core, Error error, const VolumeRef& ref);

}  // namespace fairlead::cli
