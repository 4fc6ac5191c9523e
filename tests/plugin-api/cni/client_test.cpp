// The thin client as a process, against a fake daemon and a fake fairlead-cni-local. Both ways it
// is built are tested.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <regex>

#include "base/json/json.h"
#include "plugin-api/cni/adapter.h"
#include "tests/plugin-api/cni/client_process.h"
#include "tests/plugin-api/cni/fake_daemon.h"
#include "tests/plugin-api/cni/recording_service.h"
#include "tests/support/paths.h"

namespace fairlead::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

const std::string kConfig = R"({"cniVersion":"1.0.0","name":"shop","type":"fairlead"})";

class Client : public ::testing::TestWithParam<std::string> {
 protected:
  Client() {
    // Says what it was given, so that a test sees that the call arrived whole.
    folder_.add_script("fairlead-cni-local",
                       "echo \"local $CNI_COMMAND $CNI_CONTAINERID $(cat | md5sum)\"\nexit 3\n");
  }

  Variables variables(const std::string& command) const {
    return {{"CNI_COMMAND", command},
            {"CNI_CONTAINERID", "web"},
            {"CNI_NETNS", "/proc/self/ns/net"},
            {"CNI_IFNAME", "eth0"},
            {"CNI_ARGS", ""},
            {"CNI_PATH", "/opt/cni/bin"},
            {"FAIRLEAD_RUN_DIR", folder_.path()},
            {"FAIRLEAD_LIBEXEC", folder_.path()},
            {"PATH", "/usr/bin:/bin"}};
  }
  Finished run(const Variables& environment, const std::string& input = kConfig) {
    return run_client(GetParam(), environment, input);
  }
  Finished run(const std::string& command) { return run(variables(command)); }

  void expect_local(const Finished& finished, const std::string& input = kConfig) {
    TemporaryFolder scratch;
    scratch.add_script("sum", "md5sum");
    EXPECT_EQ(finished.exit_code, 3) << finished.out;
    EXPECT_THAT(finished.out, StartsWith("local "));
    EXPECT_THAT(
        finished.out,
        HasSubstr(run_client(scratch.path() + "/sum", {{"PATH", "/usr/bin:/bin"}}, input).out));
  }

  static int code_of(const Finished& finished) {
    const auto answer = json::parse(finished.out);
    EXPECT_TRUE(answer) << finished.out;
    return answer ? answer->value("code", -1) : -1;
  }

  TemporaryFolder folder_;
};

// ---- with a daemon

TEST_P(Client, HandsTheCallOverAndPrintsTheAnswer) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{\"cniVersion\":\"1.0.0\"}\n", 0));
  const Finished finished = run("ADD");
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.out, "{\"cniVersion\":\"1.0.0\"}\n");
  EXPECT_EQ(finished.err, "");
  ASSERT_THAT(daemon.requests(), SizeIs(1));
  // Which number the namespace is open under depends on what the client inherited.
  const std::string sent =
      std::regex_replace(daemon.requests()[0], std::regex("NETNS-FD: [0-9]+"), "NETNS-FD: 4");
  EXPECT_EQ(sent,
            "POST /v1/cni HTTP/1.1\r\nHost: fairlead\r\nConnection: close\r\nContent-Type: "
            "application/json\r\n"
            "X-CNI-COMMAND: ADD\r\nX-CNI-CONTAINERID: web\r\nX-CNI-NETNS: "
            "/proc/self/ns/net\r\nX-CNI-IFNAME: eth0\r\n"
            "X-CNI-PATH: /opt/cni/bin\r\nX-CNI-NETNS-FD: 4\r\nX-CNI-SAME-NETNS: "
            "1\r\nContent-Length: 54\r\n\r\n" +
                kConfig);
}

TEST_P(Client, ExitsWithTheCodeItIsTold) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{\"code\":7}", 1));
  const Finished finished = run("ADD");
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(finished.out, "{\"code\":7}");
}

TEST_P(Client, PrintsNothingWhenTheAnswerIsEmpty) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("", 0));
  const Finished finished = run("DEL");
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.out, "");
}

TEST_P(Client, HoldsTheNamespaceOpenForTheDaemon) {
  std::string held;
  FakeDaemon daemon(folder_.path(), [&](int connection, const std::string& request) {
    held = held_by_peer(connection, request);
    FakeDaemon::answer("{}", 0)(connection, request);
  });
  EXPECT_EQ(run("ADD").exit_code, 0);
  EXPECT_THAT(held, StartsWith("net:["));
}

TEST_P(Client, KnowsItsOwnNamespaceFromAnotherFile) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{}", 0));
  auto environment = variables("ADD");
  environment["CNI_NETNS"] = "/proc/self/ns/mnt";
  run(environment);
  EXPECT_EQ(header_of(daemon.requests().at(0), "X-CNI-SAME-NETNS"), "");
  EXPECT_NE(header_of(daemon.requests().at(0), "X-CNI-NETNS-FD"), "");
}

TEST_P(Client, SaysWhyItCannotOpenTheNamespace) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{}", 1));
  auto environment = variables("ADD");
  environment["CNI_NETNS"] = "/run/netns/not-there";
  run(environment);
  EXPECT_EQ(header_of(daemon.requests().at(0), "X-CNI-NETNS-ERROR"), "2");
  EXPECT_EQ(header_of(daemon.requests().at(0), "X-CNI-NETNS-FD"), "");
}

TEST_P(Client, DoesNotHangOnAFifoInPlaceOfANamespace) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{}", 1));
  auto environment = variables("ADD");
  environment["CNI_NETNS"] = folder_.path() + "/fifo";
  ASSERT_EQ(::mkfifo(environment["CNI_NETNS"].c_str(), 0600), 0);
  EXPECT_EQ(run(environment).exit_code, 1);
}

TEST_P(Client, DelDoesNotTouchTheNamespace) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("", 0));
  run("DEL");
  EXPECT_EQ(header_of(daemon.requests().at(0), "X-CNI-NETNS-FD"), "");
  EXPECT_EQ(header_of(daemon.requests().at(0), "X-CNI-NETNS-ERROR"), "");
}

TEST_P(Client, CarriesTwoMegabytesAndRefusesMore) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{}", 0));
  std::string most = R"({"cniVersion":"0.4.0","x":")";
  most += std::string((2U << 20) - most.size() - 2, 'x') + "\"}";
  ASSERT_EQ(most.size(), 2U << 20);
  EXPECT_EQ(run(variables("ADD"), most).exit_code, 0);
  EXPECT_THAT(daemon.requests().at(0), ::testing::EndsWith(most));
  const Finished refused = run(variables("ADD"), most + " ");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(code_of(refused), 6);
  EXPECT_THAT(refused.out, HasSubstr("larger than 2 MiB"));
}

TEST_P(Client, WaitsForAnAnswerInPieces) {
  FakeDaemon daemon(folder_.path(), [](int connection, const std::string&) {
    for (const char* piece :
         {"HTTP/1.1 200 OK\r\nX-CNI", "-Exit: 0\r\nContent-Le", "ngth: 4\r\n\r", "\nbo", "dy"}) {
      send_all(connection, piece);
      ::usleep(5'000);
    }
  });
  EXPECT_EQ(run("ADD").out, "body");
}

TEST_P(Client, ReadsAnAnswerLargerThanTheSocketsBuffer) {
  const std::string body(800'000, 'x');
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer(body, 0));
  EXPECT_EQ(run("ADD").out, body);
}

TEST_P(Client, GivesUpOnASlowDaemonAtItsDeadline) {
  FakeDaemon daemon(folder_.path(), [](int connection, const std::string&) {
    char byte = 0;
    while (::read(connection, &byte, 1) > 0) {
    }
  });
  for (const char* command : {"ADD", "DEL"}) {
    auto environment = variables(command);
    environment["FAIRLEAD_CNI_TIMEOUT_MS"] = "50";
    const Finished finished = run(environment);
    EXPECT_EQ(finished.exit_code, 1);
    EXPECT_EQ(code_of(finished), 11);
    EXPECT_THAT(finished.out, HasSubstr(std::string("did not answer ") + command + " in time"));
  }
}

// ---- a daemon that dies in the middle

const char* const kPieces[] = {"", "HTTP/1.1 200 OK\r\nX-CNI-Exit: 0\r\n",
                               "HTTP/1.1 200 OK\r\nX-CNI-Exit: 0\r\nContent-Length: 10\r\n\r\nbody",
                               "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
                               "nonsense"};

TEST_P(Client, FailsAnAddThatMayBeHalfDone) {
  for (const char* piece : kPieces) {
    TemporaryFolder folder;
    FakeDaemon daemon(folder.path(), FakeDaemon::say(piece));
    auto environment = variables("ADD");
    environment["FAIRLEAD_RUN_DIR"] = folder.path();
    const Finished finished = run(environment);
    EXPECT_EQ(finished.exit_code, 1) << piece;
    EXPECT_EQ(code_of(finished), 11) << piece;
    EXPECT_EQ(json::parse(finished.out)->at("cniVersion"), "1.0.0");
    EXPECT_THAT(finished.out, HasSubstr("stopped before it had answered ADD"));
  }
}

TEST_P(Client, DoesEveryOtherVerbItselfWhenTheDaemonDies) {
  for (const char* command : {"DEL", "CHECK", "GC", "STATUS"})
    for (const char* piece : kPieces) {
      TemporaryFolder folder;
      FakeDaemon daemon(folder.path(), FakeDaemon::say(piece));
      auto environment = variables(command);
      environment["FAIRLEAD_RUN_DIR"] = folder.path();
      expect_local(run(environment));
    }
}

TEST_P(Client, SurvivesAResetConnection) {
  FakeDaemon daemon(folder_.path(), [](int connection, const std::string&) {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  });
  expect_local(run("DEL"));
}

TEST_P(Client, IsNotKilledBySigpipeWhenTheDaemonHangsUpEarly) {
  TemporaryFolder folder;
  UniqueFd gone;
  FakeDaemon daemon(folder.path(), [](int, const std::string&) {});
  auto environment = variables("DEL");
  environment["FAIRLEAD_RUN_DIR"] = folder.path();
  const std::string large = "{\"name\":\"" + std::string(1 << 20, 'x') + "\"}";
  expect_local(run(environment, large), large);
}

TEST_P(Client, DoesItselfWhatADaemonTurnsAway) {
  for (const char* status : {"404 Not Found", "413 Payload Too Large", "421 Misdirected Request",
                             "431 Request Header Fields Too Large", "503 Service Unavailable"}) {
    TemporaryFolder folder;
    FakeDaemon daemon(folder.path(), FakeDaemon::say(std::string("HTTP/1.1 ") + status +
                                                     "\r\nContent-Length: 2\r\n\r\n{}"));
    auto environment = variables("ADD");
    environment["FAIRLEAD_RUN_DIR"] = folder.path();
    expect_local(run(environment));
  }
}

// ---- without a daemon

TEST_P(Client, DoesWithoutADaemon) {
  for (const char* command : {"ADD", "DEL", "CHECK", "GC", "STATUS"}) expect_local(run(command));
}

TEST_P(Client, DoesWithoutADaemonThatLeftItsSocket) {
  { FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{}", 0)); }
  ASSERT_TRUE(std::filesystem::exists(folder_.path() + "/api.sock"));
  expect_local(run("ADD"));
}

TEST_P(Client, GivesStdinOnUnreadWhateverItsSize) {
  const std::string large(3 << 20, 'x');
  expect_local(run(variables("ADD"), large), large);
}

TEST_P(Client, FindsLocalBesideItself) {
  std::filesystem::copy_file(GetParam(), folder_.path() + "/fairlead");
  std::filesystem::create_directory(folder_.path() + "/links");
  std::filesystem::create_symlink(folder_.path() + "/fairlead", folder_.path() + "/links/fairlead");
  auto environment = variables("ADD");
  environment.erase("FAIRLEAD_LIBEXEC");
  expect_local(run_client(folder_.path() + "/links/fairlead", environment, kConfig));
}

TEST_P(Client, SaysWhatToDoWhenThereIsNeither) {
  auto environment = variables("ADD");
  environment["FAIRLEAD_RUN_DIR"] = "/nowhere";
  environment.erase("FAIRLEAD_LIBEXEC");
  TemporaryFolder alone;
  std::filesystem::copy_file(GetParam(), alone.path() + "/fairlead");
  const Finished finished = run_client(alone.path() + "/fairlead", environment, kConfig);
  for (const char* folder : {"/usr/libexec", "/usr/local/libexec", "/usr/lib"})
    if (std::filesystem::exists(std::string(folder) + "/fairlead/fairlead-cni-local"))
      GTEST_SKIP() << "fairlead-cni-local is installed on this machine";
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(code_of(finished), 11);
  EXPECT_EQ(json::parse(finished.out)->at("cniVersion"), "1.0.0");
  EXPECT_THAT(finished.out, HasSubstr("/nowhere/api.sock"));
  EXPECT_THAT(finished.out, HasSubstr("start fairleadd"));
}

TEST_P(Client, LeavesWhatAHeaderCannotCarryToLocal) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{}", 0));
  for (const std::string& value :
       {std::string("a\r\nX-CNI-COMMAND: DEL"), std::string("a\tb"), std::string(" a"),
        std::string("a "), std::string(20'000, 'a')}) {
    auto environment = variables("ADD");
    environment["CNI_ARGS"] = value;
    expect_local(run(environment));
  }
  EXPECT_THAT(daemon.requests(), ::testing::Each(IsEmpty()));
}

// It reads no JSON: another configuration than the host's is for those who do.
TEST_P(Client, LeavesAConfigurationOfItsOwnToLocal) {
  auto environment = variables("ADD");
  environment["FAIRLEAD_CONFIG"] = "/etc/fairlead/other.json";
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{}", 0));
  EXPECT_EQ(run(environment).exit_code, 0);  // the run folder is known
  environment.erase("FAIRLEAD_RUN_DIR");
  expect_local(run(environment));
}

TEST_P(Client, TellsTheDaemonWhichConfigurationItHas) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{}", 0));
  auto environment = variables("ADD");
  environment["FAIRLEAD_CONFIG"] = "/etc/fairlead/other.json";
  environment["FAIRLEAD_STATE_DIR"] = "/srv/store";
  EXPECT_EQ(run(environment).exit_code, 0);
  EXPECT_EQ(header_of(daemon.requests().at(0), "X-Fairlead-Config"), "/etc/fairlead/other.json");
  EXPECT_EQ(header_of(daemon.requests().at(0), "X-Fairlead-State-Dir"), "/srv/store");
}

TEST_P(Client, LeavesARunFolderThatIsNoAbsolutePathToLocal) {
  auto environment = variables("ADD");
  environment["FAIRLEAD_RUN_DIR"] = "run";
  expect_local(run(environment));
}

TEST_P(Client, DoesWithoutADaemonWhereTheRunFolderIsAFile) {
  folder_.add_script("file", "");
  auto environment = variables("ADD");
  environment["FAIRLEAD_RUN_DIR"] = folder_.path() + "/file";
  expect_local(run(environment));
}

TEST_P(Client, TakesARunFolderThatIsTooLongForASocket) {
  auto environment = variables("ADD");
  environment["FAIRLEAD_RUN_DIR"] = "/" + std::string(200, 'a');
  expect_local(run(environment));
}

// ---- what it answers itself

TEST_P(Client, AnswersVersionAsTheCodecDoes) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{}", 0));
  for (const std::string input :
       {R"({"cniVersion":"1.1.0"})", R"({"cniVersion":"0.4.0"})", R"({"cniVersion":"9.9.9"})"}) {
    RecordingService service;
    const Finished finished = run_client(
        GetParam(), {{"CNI_COMMAND", "VERSION"}, {"FAIRLEAD_RUN_DIR", folder_.path()}}, input);
    EXPECT_EQ(finished.exit_code, 0);
    EXPECT_EQ(finished.out, cni::run(call_of({{"CNI_COMMAND", "VERSION"}}, input), service).out);
  }
  EXPECT_THAT(daemon.requests(), IsEmpty());
}

TEST_P(Client, LeavesAnUnusualQuestionForTheVersionToOthers) {
  FakeDaemon daemon(folder_.path(), FakeDaemon::answer("{\"said\":\"daemon\"}", 0));
  EXPECT_EQ(run(variables("VERSION"), R"({"cniVersion":"1.1.0","x":1})").out,
            "{\"said\":\"daemon\"}");
}

TEST_P(Client, WithoutACommandSaysWhatItIs) {
  RecordingService service;
  const Finished finished = run_client(GetParam(), {{"CNI_COMMAND", ""}}, "");
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(finished.err, cni::run(call_of(json::Json::object(), ""), service).err);
}

INSTANTIATE_TEST_SUITE_P(Built, Client,
                         ::testing::Values(built_path("bin/fairlead-cni"),
                                           built_path("tests/fairlead-cni-libc")),
                         [](const auto& test) {
                           return std::string(test.index == 0 ? "as_shipped" : "with_libc");
                         });

}  // namespace
}  // namespace fairlead::testing
