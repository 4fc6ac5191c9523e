// GET /v1/events: the lines, their order, and how they end.
#include <gmock/gmock.h>

#include <atomic>
#include <sstream>
#include <thread>

#include "plugin-api/native/codec.h"
#include "plugin-api/native/event_stream.h"
#include "tests/plugin-api/native/api_fixture.h"

namespace fairlead::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

ChangeBatch made(std::int64_t revision, const std::string& name,
                 const std::string& kind = "network") {
  return {revision, {{revision, 1'767'225'600'123, kind, "create", "id", name, {}}}};
}

// "heartbeat 41", "end slow 42", "42 network create shop"
std::vector<std::string> words(const std::string& lines) {
  std::vector<std::string> texts;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) {
    const auto event = native::decode_event(json::parse(line).value()).value();
    if (const auto* change = std::get_if<Change>(&event)) {
      texts.push_back(
          fmt::format("{} {} {} {}", change->revision, change->kind, change->action, change->name));
      continue;
    }
    const auto& mark = std::get<native::EventMark>(event);
    texts.push_back(fmt::format("{} {}{}{}", mark.kind, mark.reason, mark.reason.empty() ? "" : " ",
                                mark.revision));
  }
  return texts;
}

class Events : public ApiTest {
 protected:
  std::shared_ptr<http::BodyStream> follow(const std::string& query = "") {
    const auto response = send("GET", "/v1/events" + query);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.content_type, "application/x-ndjson");
    return response.stream;
  }
};

TEST_F(Events, BeginWithTheRevisionFromWhichOnEverythingIsTold) {
  feed_.put(made(41, "old"));
  const auto stream = follow();
  EXPECT_THAT(words(stream->pull().bytes), ElementsAre("heartbeat 41"));
  int woken = 0;
  stream->on_ready([&] { ++woken; });
  feed_.put(made(42, "shop"));
  EXPECT_EQ(woken, 1);
  EXPECT_THAT(words(stream->pull().bytes), ElementsAre("42 network create shop"));
  feed_.put({43, {}});
  EXPECT_EQ(woken, 1) << "nothing to tell";
  stream->heartbeat();
  EXPECT_THAT(words(stream->pull().bytes), ElementsAre("heartbeat 43")) << "but it is told up to";
}

TEST_F(Events, GoOnAfterARevision) {
  feed_.put(made(41, "one"));
  feed_.put(made(42, "two"));
  EXPECT_THAT(words(follow("?since=41")->pull().bytes),
              ElementsAre("heartbeat 41", "42 network create two"));
}

TEST_F(Events, GoOnSinceATime) {
  feed_.put(made(41, "one"));
  feed_.put(made(42, "two"));
  for (const char* time :
       {"1970-01-01T00:00:00.042Z", "1970-01-01T00:00:00.0420Z", "1970-01-01T00:00:00.042999999Z"})
    EXPECT_THAT(words(follow(fmt::format("?since={}", time))->pull().bytes),
                ElementsAre("heartbeat 41", "42 network create two"));
  feed_.forgotten_ = 50;
  expect_problem(send("GET", "/v1/events?since=1970-01-01T00:00:00.042Z"), 409, "conflict",
                 "is forgotten");
}

TEST_F(Events, CanBeChosenByKind) {
  const auto stream = follow("?since=40&kind=volume,endpoint");
  feed_.put(made(41, "shop"));
  feed_.put(made(42, "data", "volume"));
  EXPECT_THAT(words(stream->pull().bytes), ElementsAre("heartbeat 40", "42 volume create data"));
}

TEST_F(Events, EndWhenEverythingUntilNowIsTold) {
  feed_.put(made(41, "shop"));
  const auto part = follow("?since=40&until=now")->pull();
  EXPECT_THAT(words(part.bytes),
              ElementsAre("heartbeat 40", "41 network create shop", "end until 41"));
  EXPECT_TRUE(part.last);
  EXPECT_TRUE(follow("?until=now")->pull().last) << "nothing has happened since";
}

TEST_F(Events, ThatAreForgottenAreAConflict) {
  feed_.forgotten_ = 10;
  expect_problem(send("GET", "/v1/events?since=9"), 409, "conflict", "list again");
}

TEST_F(Events, ThatAreLostOnTheWayEndTheAnswer) {
  const auto stream = follow();
  feed_.put({.revision = 0, .lost = true});
  const auto part = stream->pull();
  EXPECT_THAT(words(part.bytes), ElementsAre("heartbeat 41", "end resync 41"));
  EXPECT_TRUE(part.last);
}

TEST_F(Events, EndWhenTheServerStops) {
  const auto stream = follow();
  stream->stop();
  feed_.put(made(42, "late"));
  EXPECT_THAT(words(stream->pull().bytes), ElementsAre("heartbeat 41", "end stop 41"));
}

TEST_F(Events, OfASlowClientEndWithTheRevisionToGoOnFrom) {
  const auto stream = native::open_event_stream(feed_, {}, {.bytes = 200, .patience = 50ms});
  ASSERT_TRUE(stream);
  for (int revision = 42; revision < 60; ++revision) feed_.put(made(revision, "n"));
  const auto part = (*stream)->pull();
  EXPECT_TRUE(part.last);
  const auto told = words(part.bytes);
  ASSERT_GE(told.size(), 3U);
  const std::string last_change = told[told.size() - 2];
  EXPECT_EQ(told.back(), "end slow " + last_change.substr(0, 2));
  EXPECT_LT(part.bytes.size(), 1000U);
}

TEST_F(Events, WaitForAClientThatReadsOn) {
  const auto stream = native::open_event_stream(feed_, {}, {.bytes = 200, .patience = 20s});
  ASSERT_TRUE(stream);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int revision = 42; revision < 142; ++revision) feed_.put(made(revision, "n"));
    done = true;
  });
  std::string lines;
  while (!done) lines += (*stream)->pull().bytes;
  writer.join();
  lines += (*stream)->pull().bytes;
  EXPECT_EQ(words(lines).size(), 101U);
}

TEST_F(Events, OfAClientThatHangsUpAreNotWatchedAnyMore) {
  auto stream = follow();
  EXPECT_TRUE(feed_.has_watcher());
  stream.reset();
  EXPECT_FALSE(feed_.has_watcher());
}

TEST_F(Events, RefuseWhatTheyDoNotUnderstand) {
  for (const std::string query :
       {"since=yesterday", "since=2026-02-30T00:00:00Z", "since=2026-01-01T00:00:00.Z", "since=-1",
        "since=", "since=99999999999999999999", "until=later", "kind=pod", "kind=network,",
        "kind=", "filter=x"})
    expect_problem(send("GET", "/v1/events?" + query), 400, "invalid", "query parameter");
  EXPECT_THAT(send("GET", "/v1/networks").stream, ::testing::IsNull());
}

TEST_F(Events, ADaemonWithoutAFeedSaysSo) {
  auto parts = services();
  parts.changes = nullptr;
  handler_ = native::make_native_handler(parts);
  expect_problem(send("GET", "/v1/events"), 501, "unsupported", "no change feed");
}

TEST(EventTimes, HaveMilliseconds) {
  EXPECT_EQ(native::time_text(1'767'225'600'007), "2026-01-01T00:00:00.007Z");
  const Change change = made(42, "shop").changes[0];
  EXPECT_EQ(std::get<Change>(native::decode_event(native::encode_change(change)).value()), change);
  for (const char* time : {"2026-01-01T00:00:00", "2026-01-01T00:00:00.0x7Z", "yesterday"}) {
    auto document = native::encode_change(change);
    document["time"] = time;
    EXPECT_FALSE(native::decode_event(document)) << time;
  }
}

}  // namespace
}  // namespace fairlead::testing
