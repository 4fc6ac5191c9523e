#include "base/host.h"
#include "plugin-api/native/codec.h"
#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using EventCommand = CliTest;

constexpr const char* kStart =
    R"({"kind":"heartbeat","revision":40,"time":"2026-11-29T15:00:00.000Z"})";
constexpr const char* kCreated =
    R"({"revision":41,"time":"2026-11-29T15:00:00.123Z","kind":"network","action":"create",)"
    R"("id":"3f2a9c3f2a9c3f2a9c3f2a9c3f2a9c3f","name":"shop","attributes":{"mode":"bridge"}})";
constexpr const char* kJoined =
    R"({"revision":42,"time":"2026-11-29T15:00:01.000Z","kind":"endpoint","action":"join",)"
    R"("id":"e1","attributes":{"network":"3f2a9c3f2a9c3f2a9c3f2a9c3f2a9c3f",)"
    R"("network_name":"shop"}})";

std::string end_line(const std::string& reason) {
  return R"({"kind":"end","reason":")" + reason +
         R"(","revision":42,"time":"2026-11-29T15:00:02.000Z"})";
}

TEST_F(EventCommand, PrintsALineForEachChange) {
  answers_["GET /v1/events"] = {kStart, kCreated, kJoined};
  const Outcome outcome = run("events");
  EXPECT_EQ(outcome.exit_code, cli::kDone) << outcome.err;
  EXPECT_EQ(outcome.out,
            "2026-11-29T15:00:00.123Z network create shop (id=3f2a9c3f2a9c, mode=bridge)\n"
            "2026-11-29T15:00:01.000Z endpoint join e1 (id=e1, network=3f2a9c3f2a9c, "
            "network_name=shop)\n");
}

TEST_F(EventCommand, AsJsonPrintsWhatTheDaemonSays) {
  answers_["GET /v1/events?since=40&until=now&kind=network,volume"] = {kStart, kCreated,
                                                                       end_line("until")};
  const Outcome outcome = run("events --json --since 40 --until now --kind network,volume");
  EXPECT_EQ(outcome.exit_code, cli::kDone) << outcome.err;
  EXPECT_EQ(outcome.out, fmt::format("{}\n{}\n{}\n", kStart, kCreated, end_line("until")));
}

TEST_F(EventCommand, SaysWhyTheEventsEndAndHowToGoOn) {
  for (const auto& [reason, text] :
       std::map<std::string, std::string>{{"stop", "go on with --since 42"},
                                          {"slow", "go on with --since 42"},
                                          {"resync", "list again"}}) {
    answers_["GET /v1/events"] = {kStart, end_line(reason)};
    const Outcome outcome = run("events");
    EXPECT_EQ(outcome.exit_code, cli::kFailed);
    EXPECT_NE(outcome.err.find(text), std::string::npos) << outcome.err;
  }
}

TEST_F(EventCommand, WithoutTheDaemonItSaysSo) {
  const Outcome outcome = run("events");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err, "fairlead: follow events: fairleadd does not run\n");
  EXPECT_EQ(opened_, 0);
}

TEST_F(EventCommand, RefusesWhatIsNoWord) {
  const Outcome outcome = run("events --since 4&x=1");
  EXPECT_EQ(outcome.exit_code, cli::kUsage);
  EXPECT_NE(outcome.err.find("--since takes a revision, a time like"), std::string::npos)
      << outcome.err;
  EXPECT_NE(run("events --kind a&b").err.find("--kind cannot be \"a&b\""), std::string::npos);
}

TEST_F(EventCommand, SinceATimeOrSoLongAgo) {
  answers_["GET /v1/events?since=2026-11-29T15:00:00.123Z&until=now"] = {kStart, end_line("until")};
  EXPECT_EQ(run("events --since 2026-11-29T15:00:00.123Z --until now").exit_code, cli::kDone);
  const long long before = unix_time() - 600;
  for (int later = 0; later < 60; ++later)
    answers_[fmt::format("GET /v1/events?since={}", native::time_text(1000 * (before + later)))] = {
        kStart, end_line("until")};
  EXPECT_EQ(run("events --since 10m").exit_code, cli::kDone);
}

}  // namespace
}  // namespace fairlead::testing
