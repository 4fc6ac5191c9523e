// Where a test finds what it does not make itself. Only paths.cpp knows the folders of this clone, and is linked to every test:
// what else is compiled is the same in each folder, so that ccache has it.
#pragma once

#include <string>
#include <string_view>

namespace fairlead::testing {

// A file or folder of the repository, e.g. "tests/golden/cli"; an absolute path stays as it is.
std::string source_path(std::string_view below);

// One of the build's folder, e.g. "bin/fairleadd"; an absolute path stays as it is.
std::string built_path(std::string_view below);

}  // namespace fairlead::testing
