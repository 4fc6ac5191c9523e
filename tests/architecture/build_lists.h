// What the build compiles, against what lies in the source tree.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fairlead::architecture {

// The .cpp files below base/, network/, volume/, plugin-api/ and tests/ that neither the
// CMakeLists.txt of their own folder nor that of a folder above names: a file that was forgotten,
// or renamed in one place only. A name may also stand there without its fuzz_ or _test, as in a
// list that adds them. Paths from the root, sorted.
std::vector<std::string> sources_not_built(const std::filesystem::path& root);

}  // namespace fairlead::architecture
