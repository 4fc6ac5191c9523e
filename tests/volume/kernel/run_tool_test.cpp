#include "volume/kernel/run_tool.h"

#include <gmock/gmock.h>

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

Tool shell(const std::string& script) {
  return {
      .action = "mend the disk", .argv = {"sh", "-c", script}, .deadline = 10s, .package = "dash"};
}

TEST(RunTool, AMissingToolNamesItsPackage) {
  const auto result = run_tool(
      {.action = "mend the disk", .argv = {"no-such-tool"}, .deadline = 1s, .package = "mending"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kUnsupported);
  EXPECT_THAT(result.error().text,
              AllOf(HasSubstr("mend the disk"), HasSubstr("install the package mending")));
  EXPECT_FALSE(has_tool("no-such-tool"));
  EXPECT_TRUE(has_tool("sh"));
}

TEST(RunTool, AFailureTellsTheToolsWordsOnOneLine) {
  const auto result = run_tool(shell("echo one >&2; echo two >&2; exit 3"));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().text,
              AllOf(HasSubstr("ended with 3: one; two"), Not(HasSubstr("\n"))));
}

TEST(RunTool, ExitCodesThatAreNoFailureAreTold) {
  Tool tool = shell("exit 1");
  tool.accepted = {0, 1};
  EXPECT_EQ(run_tool(tool)->exit_code, 1);
}

TEST(RunTool, PastItsDeadlineItIsKilled) {
  Tool tool = shell("sleep 60");
  tool.deadline = 50ms;
  const auto result = run_tool(tool);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kUnavailable);
}

TEST(RunTool, NothingOfOursIsInherited) {
  const auto result = run_tool(shell("ls /proc/self/fd | wc -l; cat"));
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_LE(std::stoi(result->out), 5);  // stdin, stdout, stderr, and the folder that ls reads
}

}  // namespace
}  // namespace fairlead::volume
