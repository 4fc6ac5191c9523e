#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace fairlead::testing {

std::string read_golden(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void expect_golden(const std::filesystem::path& path, const std::string& text) {
  if (std::getenv("FAIRLEAD_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  ASSERT_TRUE(std::filesystem::exists(path))
      << path << " is missing; FAIRLEAD_UPDATE_GOLDEN=1 writes it";
  EXPECT_EQ(read_golden(path), text) << path;
}

std::vector<std::string> golden_cases(const std::filesystem::path& folder,
                                      std::string_view ending) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.ends_with(ending)) names.push_back(name.substr(0, name.size() - ending.size()));
  }
  std::ranges::sort(names);
  return names;
}

std::string parameter_name(std::string name) {
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

}  // namespace fairlead::testing
