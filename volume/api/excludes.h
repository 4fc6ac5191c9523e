// What an export or a backup leaves out because somebody asked for it. Pure values and functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fairlead::volume {

struct Excludes {
  // As lines of .gitignore: "*.tmp" at any depth, "/cache" and "a/b" from the top, "logs/" folders
  // only, "**" any folders, "!keep.tmp" takes back. The last one that fits decides; what is in a
  // folder that is left out cannot be taken back.
  std::vector<std::string> patterns;
  // Of a folder that holds one of these names, only that file is kept.
  std::vector<std::string> if_present;
  // The same for a CACHEDIR.TAG with its signature (https://bford.info/cachedir/).
  bool caches = false;

  bool empty() const { return patterns.empty() && if_present.empty() && !caches; }
  bool operator==(const Excludes&) const = default;
};

// kInvalid when a pattern is malformed or too long, or a name is none.
Status check_excludes(const Excludes& excludes);

// One text, as an option and as a summary hold it: "*.tmp,logs/,@caches,@if-present:.nobackup". A
// comma, a backslash or a leading '@' of a pattern is written with a backslash before it.
Result<Excludes> parse_excludes(std::string_view text);
std::string format_excludes(const Excludes& excludes);

// Whether the patterns leave out what has this path, like "a/b". Call it for a folder before what
// is in it. `excludes` have passed check_excludes().
bool is_excluded(const Excludes& excludes, std::string_view path, bool is_folder);

}  // namespace fairlead::volume
