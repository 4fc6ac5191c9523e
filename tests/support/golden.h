// Files with what was reviewed once. FAIRLEAD_UPDATE_GOLDEN=1 writes them anew: the diff is the review.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::testing {

// The whole file; empty when it cannot be read.
std::string read_golden(const std::filesystem::path& path);

// Fails the test where the text is not what the file holds.
void expect_golden(const std::filesystem::path& path, const std::string& text);

// The names of the folder's files that end so, without the ending, sorted.
std::vector<std::string> golden_cases(const std::filesystem::path& folder, std::string_view ending);

// The name of a case as one of a parameter: letters, digits and underscores.
std::string parameter_name(std::string name);

}  // namespace fairlead::testing
