// The layers of the source tree and the arrows between them, checked by reading every #include.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fairlead::architecture {

// A forbidden include, ready to be shown: "network/nat/x.cpp:3: #include "..." - why it is not
// allowed".
using Violation = std::string;

struct Report {
  std::size_t files = 0;  // that were read
  std::vector<Violation> violations;
};

// Reads the sources (.h, .cpp) below base/, network/, volume/ and plugin-api/ of the tree at
// `root`.
Report check_layers(const std::filesystem::path& root);

}  // namespace fairlead::architecture
