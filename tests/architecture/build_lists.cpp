#include "tests/architecture/build_lists.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

namespace fairlead::architecture {

namespace {

bool is_word_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '.' || c == '-' || c == '/';
}

void add_words(const std::filesystem::path& list, std::set<std::string>& words) {
  std::ifstream file(list);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  for (auto at = text.begin(); at != text.end();) {
    at = std::find_if(at, text.end(), is_word_char);
    const auto end = std::find_if_not(at, text.end(), is_word_char);
    if (at != end) words.emplace(at, end);
    at = end;
  }
}

// The words of a folder's CMakeLists.txt, and of what stands beside it for include() or compiles by itself.
std::set<std::string> words_of(const std::filesystem::path& folder) {
  std::set<std::string> words;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename() == "CMakeLists.txt" || entry.path().extension() == ".cmake" ||
        entry.path().extension() == ".py")
      add_words(entry.path(), words);
  return words;
}

// Whether a list names the source by its path from the folder of the list, or, as some lists do, by
// what the path has without "fuzz_" and "_test.cpp".
bool names(const std::set<std::string>& words, const std::filesystem::path& source) {
  if (words.contains(source.generic_string())) return true;
  const std::string whole = source.stem();
  std::string_view stem = whole;
  if (stem.starts_with("fuzz_")) stem.remove_prefix(5);
  if (stem.ends_with("_test")) stem.remove_suffix(5);
  return stem.size() < whole.size() &&
         words.contains((source.parent_path() / stem).generic_string());
}

bool is_built(const std::filesystem::path& root, const std::filesystem::path& source) {
  for (auto folder = source.parent_path(); folder != root; folder = folder.parent_path())
    if (names(words_of(folder), source.lexically_relative(folder))) return true;
  return false;
}

}  // namespace

std::vector<std::string> sources_not_built(const std::filesystem::path& root) {
  std::vector<std::string> missing;
  for (const char* top : {"base", "network", "volume", "plugin-api", "tests"}) {
    if (!std::filesystem::exists(root / top)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / top))
      if (entry.path().extension() == ".cpp" && !is_built(root, entry.path()))
        missing.push_back(entry.path().lexically_relative(root).generic_string());
  }
  std::ranges::sort(missing);
  return missing;
}

}  // namespace fairlead::architecture
