// How long the thin client takes from exec to exit. Printed, never judged: a machine under load is
// no failure.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/plugin-api/cni/client_process.h"
#include "tests/plugin-api/cni/fake_daemon.h"
#include "tests/support/paths.h"

namespace fairlead::testing {
namespace {

TEST(ClientStart, BesideAStaticProgramThatDoesNothing) {
  constexpr int kRuns = 200;
  TemporaryFolder folder;
  FakeDaemon daemon(folder.path(), FakeDaemon::answer("{\"cniVersion\":\"1.0.0\"}\n", 0));
  const std::string config = R"({"cniVersion":"1.0.0","name":"shop","type":"fairlead"})";
  const Variables add{
      {"CNI_COMMAND", "ADD"}, {"CNI_CONTAINERID", "web"},   {"CNI_NETNS", "/proc/self/ns/net"},
      {"CNI_IFNAME", "eth0"}, {"CNI_PATH", "/opt/cni/bin"}, {"FAIRLEAD_RUN_DIR", folder.path()}};
  const std::pair<const char*, std::vector<double>> rows[] = {
      {"static empty main", measure(built_path("tests/static_empty"), add, config, kRuns)},
      {"fairlead-cni VERSION", measure(built_path("bin/fairlead-cni"), {{"CNI_COMMAND", "VERSION"}},
                                       R"({"cniVersion":"1.1.0"})", kRuns)},
      {"fairlead-cni ADD and round trip",
       measure(built_path("bin/fairlead-cni"), add, config, kRuns)},
      {"the same, linked with libc",
       measure(built_path("tests/fairlead-cni-libc"), add, config, kRuns)},
  };
  for (const auto& [name, times] : rows) {
    ASSERT_EQ(times.size(), static_cast<std::size_t>(kRuns)) << name << " failed";
    std::printf("%-34s min %5.0f us  median %5.0f us\n", name, times.front(),
                times[times.size() / 2]);
  }
}

}  // namespace
}  // namespace fairlead::testing
