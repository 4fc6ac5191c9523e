// The thin client for Podman as a process, against a fake daemon and a fake fairlead-netavark-local. Both
// ways it is built are tested.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <regex>

#include "base/json/json.h"
#include "tests/plugin-api/cni/client_process.h"
#include "tests/plugin-api/cni/fake_daemon.h"
#include "tests/support/paths.h"

namespace fairlead::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

const std::string kDocument = R"({"container_id":"web","networks":{}})";

class PodmansClient : public ::testing::TestWithParam<std::string> {
 protected:
  PodmansClient() {
    // Says what it was given, so that a test sees that the call arrived whole.
    folder_.add_script("fairlead-netavark-local", "echo \"local $* $(cat)\"\nexit 3\n");
  }
  Finished run(const std::vector<std::string>& arguments, const std::string& input = kDocument) {
    return run_client(GetParam(), variables_, input, arguments);
  }
  static FakeDaemon::Script answer(const std::string& body, int exit_code) {
    return FakeDaemon::answer(body, exit_code, "X-Netavark-Exit");
  }
  static std::string error_of(const Finished& finished) {
    const auto parsed = json::parse(finished.out);
    EXPECT_TRUE(parsed) << finished.out;
    return parsed && parsed->contains("error") ? (*parsed)["error"].string() : "";
  }

  TemporaryFolder folder_;
  Variables variables_{{"FAIRLEAD_RUN_DIR", folder_.path()},
                       {"FAIRLEAD_LIBEXEC", folder_.path()},
                       {"PATH", "/usr/bin:/bin"}};
};

TEST_P(PodmansClient, HandsTheCallOverAndPrintsTheAnswer) {
  FakeDaemon daemon(folder_.path(), answer("{\"n1\":{}}\n", 0));
  const Finished finished =
      run({"--config", "/run/containers/networks", "--rootless=false",
           "--aardvark-binary=/usr/lib/podman/aardvark-dns", "setup", "/proc/self/ns/net"});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.out, "{\"n1\":{}}\n");
  ASSERT_THAT(daemon.requests(), SizeIs(1));
  const std::string sent =
      std::regex_replace(daemon.requests()[0], std::regex("Netns-Fd: [0-9]+"), "Netns-Fd: 4");
  EXPECT_EQ(sent,
            "POST /v1/netavark HTTP/1.1\r\nHost: fairlead\r\nConnection: close\r\nContent-Type: "
            "application/json\r\nX-Netavark-Command: setup\r\nX-Netavark-Netns: "
            "/proc/self/ns/net\r\nX-Netavark-Netns-Fd: 4\r\nX-Netavark-Same-Netns: "
            "1\r\nContent-Length: 36\r\n\r\n" +
                kDocument);
}

TEST_P(PodmansClient, ExitsWithTheCodeItIsTold) {
  FakeDaemon daemon(folder_.path(), answer("{\"error\":\"no\"}", 1));
  const Finished finished = run({"create"});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(finished.out, "{\"error\":\"no\"}");
}

TEST_P(PodmansClient, SaysWhichNamespaceCouldNotBeOpened) {
  FakeDaemon daemon(folder_.path(), answer("{}", 0));
  run({"setup", "/nowhere"});
  EXPECT_EQ(header_of(daemon.requests().at(0), "X-Netavark-Netns-Error"), "2");
  run({"teardown", "/nowhere"});  // needs none
  EXPECT_EQ(header_of(daemon.requests().at(1), "X-Netavark-Netns-Error"), "");
}

TEST_P(PodmansClient, OpensTheFileThatItIsGivenInPlaceOfStdin) {
  FakeDaemon daemon(folder_.path(), answer("{}", 0));
  const std::string file = folder_.path() + "/document";
  std::ofstream(file) << "{\"from\":\"file\"}";
  EXPECT_EQ(run({"--file", file, "create"}, "").exit_code, 0);
  EXPECT_THAT(daemon.requests().at(0), HasSubstr("{\"from\":\"file\"}"));
  EXPECT_THAT(error_of(run({"--file", "/nowhere", "create"})), HasSubstr("cannot be read"));
}

TEST_P(PodmansClient, UpdateNamesTheNetworkAndReadsNoStdin) {
  FakeDaemon daemon(folder_.path(), answer("", 0));
  EXPECT_EQ(run({"update", "n1", "--network-dns-servers", "192.0.2.1"}, "null").exit_code, 0);
  EXPECT_EQ(header_of(daemon.requests().at(0), "X-Netavark-Network"), "n1");
  EXPECT_EQ(header_of(daemon.requests().at(0), "X-Netavark-Dns-Servers"), "192.0.2.1");
  EXPECT_EQ(header_of(daemon.requests().at(0), "Content-Length"), "0");
}

TEST_P(PodmansClient, SaysWherePodmanKeepsItsNetworks) {
  variables_["FAIRLEAD_PODMAN_NETWORKS"] = "/srv/networks";
  FakeDaemon daemon(folder_.path(), answer("{}", 0));
  run({"create"});
  EXPECT_EQ(header_of(daemon.requests().at(0), "X-Netavark-Networks"), "/srv/networks");
}

TEST_P(PodmansClient, LeavesTheCallToTheOtherProgramWhereNoDaemonRuns) {
  const Finished finished = run({"setup", "/proc/self/ns/net"});
  EXPECT_EQ(finished.exit_code, 3);
  EXPECT_EQ(finished.out, "local setup /proc/self/ns/net " + kDocument + "\n");
}

TEST_P(PodmansClient, LeavesItAfterADaemonThatStoppedOrTurnedItAway) {
  for (const char* said :
       {"HTTP/1.1 421 Misdirected\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n", ""}) {
    ::unlink((folder_.path() + "/api.sock").c_str());
    FakeDaemon daemon(folder_.path(), FakeDaemon::say(said));
    EXPECT_EQ(run({"setup", "/proc/self/ns/net"}).out,
              "local setup /proc/self/ns/net " + kDocument + "\n")
        << said;
  }
}

TEST_P(PodmansClient, LeavesWhatItDoesNotKnow) {
  FakeDaemon daemon(folder_.path(), answer("{}", 0));
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"dhcp-proxy", "--uds", "/x"}, {"bogus"}, {}, {"--bogus", "setup", "/n"}, {"version"}})
    EXPECT_THAT(run(arguments).out, StartsWith("local "));
  EXPECT_THAT(daemon.requests(), IsEmpty());
}

TEST_P(PodmansClient, SaysWhatItIsByItself) {
  EXPECT_EQ(run({"--version"}).out, std::string("netavark 2.0.0\n"));
  EXPECT_THAT(run({"info"}).out, HasSubstr("\"api_version\":\"1.0.0\""));
}

TEST_P(PodmansClient, SaysWhatIsMissing) {
  variables_["FAIRLEAD_LIBEXEC"] = "/nowhere";
  ::unlink((folder_.path() + "/fairlead-netavark-local").c_str());
  const Finished finished = run({"create"});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(error_of(finished), HasSubstr("start fairleadd"));
}

TEST_P(PodmansClient, DoesNotTakeRootlessCalls) {
  FakeDaemon daemon(folder_.path(), answer("{}", 0));
  const Finished finished = run({"--rootless=true", "setup", "/proc/self/ns/net"});
  EXPECT_THAT(daemon.requests(), IsEmpty());
  EXPECT_EQ(finished.exit_code, 1);
  if (::access("/usr/lib/podman/netavark", X_OK) != 0)
    EXPECT_THAT(error_of(finished), HasSubstr("sudo podman"));
}

INSTANTIATE_TEST_SUITE_P(Builds, PodmansClient,
                         ::testing::Values(built_path("bin/fairlead-netavark"),
                                           built_path("tests/fairlead-netavark-libc")),
                         [](const auto& test) {
                           return std::string(test.index == 0 ? "WithoutTheCLibrary"
                                                              : "WithTheCLibrary");
                         });

}  // namespace
}  // namespace fairlead::testing
