// Podman by its command line, with a program in its place that answers as Podman 4.3 does.
#include "plugin-api/hooks/podman_runtime.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>

namespace fairlead::hooks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct PodmanTest : ::testing::Test {
  PodmanHost host() {
    return {.run = [this](std::span<const std::string> argv,
                          std::chrono::milliseconds) -> Result<ProcessResult> {
              const std::string line = fmt::format("{}", fmt::join(argv, " "));
              lines.push_back(line);
              const auto found = answers.find(line);
              if (found == answers.end()) return ProcessResult{125, "", "Error: no such object"};
              return ProcessResult{0, found->second, ""};
            },
            .alive = "/proc/self/stat"};
  }
  std::vector<std::string> lines;
  std::map<std::string, std::string> answers;
};

TEST_F(PodmanTest, ContainersWithOurVolumesAreFound) {
  answers["podman volume inspect --format {{.Driver}} data"] = "fairlead\n";
  answers["podman volume inspect --format {{.Driver}} own"] = "local\n";
  answers["podman ps --no-trunc --filter volume=data --format json"] =
      R"([{"Id":"7d","Names":["db"],"ImageID":"1","Labels":{"a":"b"}}])";
  const auto podman = make_podman_runtime(host());
  const auto found = podman->using_volumes({"data", "own", "unknown"});
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_THAT(
      *found,
      ElementsAre(Container{
          .id = "7d", .name = "db", .image = "1", .labels = {{"a", "b"}}, .volumes = {"data"}}));
}

TEST_F(PodmanTest, WhereItHasNotRunItIsNotStarted) {
  PodmanHost idle = host();
  idle.alive = "/proc/self/no-such-file";
  EXPECT_THAT(*make_podman_runtime(idle)->using_volumes({"data"}), IsEmpty());
  EXPECT_THAT(lines, IsEmpty());
}

TEST_F(PodmanTest, ACommandIsRunWithItsUserAndEnvironment) {
  answers["podman exec --env=A=b c --user=u 7d sh -c x"] = "done";
  const auto answer = make_podman_runtime(host())->run(
      {.id = "7d", .name = {}, .image = {}, .labels = {}, .volumes = {}},
      {.words = {"sh", "-c", "x"}, .user = "u", .environment = {{"A", "b c"}}},
      std::chrono::steady_clock::now() + std::chrono::seconds(5));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->output, "done");
  EXPECT_EQ(answer->exit_code, 0);
}

TEST_F(PodmanTest, NonsenseIsRefused) {
  answers["podman volume inspect --format {{.Driver}} data"] = "fairlead\n";
  for (const char* text : {"", "{}", "[7]", "[{}]"}) {
    answers["podman ps --no-trunc --filter volume=data --format json"] = text;
    EXPECT_FALSE(make_podman_runtime(host())->using_volumes({"data"})) << text;
  }
}

}  // namespace
}  // namespace fairlead::hooks
