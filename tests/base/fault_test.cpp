#include "base/fault.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/process.h"
#include "tests/support/paths.h"

namespace fairlead {
namespace {

// Passes the points `names` in a process whose FAIRLEAD_FAULT is `fault`.
ProcessResult pass(const std::string& fault, std::vector<std::string> names) {
  std::vector<std::string> words{"env", "FAIRLEAD_FAULT=" + fault,
                                 fairlead::testing::built_path("tests/fault_probe")};
  words.insert(words.end(), names.begin(), names.end());
  auto done = run_process(words, std::chrono::seconds(10));
  EXPECT_TRUE(done) << done.error().text;
  return done ? *done : ProcessResult{};
}

TEST(Fault, DoesNothingWhenItIsNotAskedTo) {
  const auto done = pass("", {"a", "b"});
  EXPECT_EQ(done.exit_code, 0);
  EXPECT_EQ(done.out, "..");
}

TEST(Fault, KillsAtTheNamedPointOnly) {
  const auto done = pass("b", {"a", "b", "c"});
  EXPECT_EQ(done.exit_code, 128 + 9);
  EXPECT_EQ(done.out, ".");
  EXPECT_EQ(pass("z", {"a", "b"}).exit_code, 0);
}

TEST(Fault, KillsAtTheNthPassage) {
  const auto done = pass("a:3", {"a", "b", "a", "a", "a"});
  EXPECT_EQ(done.exit_code, 128 + 9);
  EXPECT_EQ(done.out, "...");
  EXPECT_EQ(pass("a:3", {"a", "a"}).exit_code, 0);
}

TEST(Fault, ListsThePointsThatArePassed) {
  std::string file = std::filesystem::temp_directory_path() / "fairlead-fault-XXXXXX";
  ::close(::mkstemp(file.data()));
  EXPECT_EQ(pass("list:" + file, {"a.one", "b.two", "a.one"}).exit_code, 0);
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  std::filesystem::remove(file);
  EXPECT_EQ(text.str(), "a.one\nb.two\na.one\n");
}

}  // namespace
}  // namespace fairlead
