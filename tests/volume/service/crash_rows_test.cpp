// The table of rows agrees with the sources and with the tests of this program.
#include "tests/volume/service/crash_rows.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "tests/support/paths.h"
#include "tests/volume/scratch.h"

namespace fairlead::volume::testing {
namespace {

std::string this_program() { return std::filesystem::read_symlink("/proc/self/exe").filename(); }

bool is_of_a_name(char c) { return (c >= 'a' && c <= 'z') || c == '-' || c == '.'; }

// Every name that is given to fault_point(), or as the last argument to a function that gives it
// on.
void add_points(const std::string& text, std::set<std::string>& found) {
  for (std::size_t end = text.find("\")"); end != std::string::npos;
       end = text.find("\")", end + 1)) {
    const std::size_t begin = text.rfind('"', end - 1) + 1;
    const std::string name = text.substr(begin, end - begin);
    const bool is_given = std::string_view(text).substr(0, begin).ends_with("fault_point(\"");
    const bool reads_so = (name.starts_with("archive.") || name.starts_with("backup.") ||
                           name.starts_with("remote.") || name.starts_with("volume.")) &&
                          std::ranges::count(name, '.') == 2 &&
                          std::ranges::all_of(name, is_of_a_name);
    if (is_given || reads_so) found.insert(name);
  }
}

std::set<std::string> points_of_sources() {
  std::set<std::string> found;
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(fairlead::testing::source_path("volume")))
    if (file.path().extension() == ".cpp") add_points(read_text(file.path()), found);
  return found;
}

// Those whose names are put together: the steps of a change of a volume (changes.cpp).
std::set<std::string> points_of_changes() {
  std::set<std::string> found;
  for (const char* kind : {"snapshot", "drop-snapshot", "rollback", "resize"})
    for (const char* step : {"intent", "acted", "done"})
      found.insert(std::string("volume.") + kind + "." + step);
  return found;
}

std::set<std::string> tests_of_this_program() {
  std::set<std::string> found;
  const auto& all = *::testing::UnitTest::GetInstance();
  for (int suite = 0; suite < all.total_test_suite_count(); ++suite)
    for (int test = 0; test < all.GetTestSuite(suite)->total_test_count(); ++test)
      found.insert(std::string(all.GetTestSuite(suite)->name()) + "." +
                   all.GetTestSuite(suite)->GetTestInfo(test)->name());
  return found;
}

TEST(CrashRows, HaveEveryPointOfTheSources) {
  std::set<std::string> wanted = points_of_sources(), had;
  ASSERT_GT(wanted.size(), 100U);
  wanted.merge(points_of_changes());
  for (const CrashRow& row : crash_rows()) had.insert(row.points.begin(), row.points.end());
  for (const std::string& point : wanted) EXPECT_TRUE(had.contains(point)) << "no row: " << point;
  for (const std::string& point : had) EXPECT_TRUE(wanted.contains(point)) << "gone: " << point;
}

TEST(CrashRows, NameTestsThatThereAre) {
  const auto tests = tests_of_this_program();
  std::size_t own = 0;
  for (const CrashRow& row : crash_rows()) {
    if (row.program != this_program()) continue;
    ++own;
    EXPECT_TRUE(tests.contains(std::string(row.test))) << row.test;
  }
  EXPECT_GT(own, 0U);
}

}  // namespace
}  // namespace fairlead::volume::testing
