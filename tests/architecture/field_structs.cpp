#include "tests/architecture/field_structs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

namespace fairlead::architecture {

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// "Holder" of "struct Holder {"; empty for any other line.
std::string defined_in(std::string_view line) {
  for (const std::string_view word : {"struct ", "class "}) {
    if (!line.starts_with(word)) continue;
    line.remove_prefix(word.size());
    return std::string(line.substr(0, line.find_first_of(" :;{")));
  }
  return {};
}

// The structs in anonymous namespaces of the file that have a table of fields, with the namespace
// around them.
std::set<std::string> field_structs(const std::string& text) {
  std::set<std::string> found;
  std::string around;
  bool is_anonymous = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line == "namespace {") is_anonymous = true;
    if (line == "}  // namespace") is_anonymous = false;
    if (line.starts_with("namespace ") && line != "namespace {") around = line;
    const std::string name = is_anonymous ? defined_in(line) : std::string();
    if (!name.empty() && text.find("<&" + name + "::") != std::string::npos)
      found.insert(fmt::format("{} in {}", name, around.substr(0, around.find(" {"))));
  }
  return found;
}

}  // namespace

std::vector<std::string> field_structs_named_twice(const std::filesystem::path& root) {
  std::map<std::string, std::set<std::string>> files;
  for (const char* top : {"base", "network", "volume", "plugin-api"}) {
    if (!std::filesystem::exists(root / top)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / top))
      if (entry.path().extension() == ".cpp")
        for (const std::string& name : field_structs(text_of(entry.path())))
          files[name].insert(entry.path().lexically_relative(root).generic_string());
  }
  std::vector<std::string> twice;
  for (const auto& [name, where] : files)
    if (where.size() > 1) twice.push_back(fmt::format("{}: {}", name, fmt::join(where, ", ")));
  return twice;
}

}  // namespace fairlead::architecture
