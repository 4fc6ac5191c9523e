#include "plugin-api/http/request_reader.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace fairlead::http {
namespace {

using State = RequestReader::State;
constexpr std::string_view kSimple =
    "POST /Plugin.Activate HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";

RequestReader reader() { return RequestReader({.header_bytes = 1024, .body_bytes = 64}); }

int refused_with(std::string_view text) {
  RequestReader r = reader();
  return r.feed(text) == State::kRefused ? r.refusal().status : 0;
}

TEST(RequestReader, ReadsARequestThatArrivesAtOnce) {
  RequestReader r = reader();
  ASSERT_EQ(r.feed(kSimple), State::kComplete);
  const Request request = r.take();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/Plugin.Activate");
  EXPECT_EQ(request.body, "hello");
  EXPECT_EQ(request.headers.at("host"), "x");
  EXPECT_TRUE(r.keep_alive());
  EXPECT_TRUE(r.idle());
}

TEST(RequestReader, ReadsTheSameRequestByteByByte) {
  RequestReader r = reader();
  for (std::size_t i = 0; i + 1 < kSimple.size(); ++i)
    ASSERT_EQ(r.feed(kSimple.substr(i, 1)), State::kMore) << i;
  ASSERT_EQ(r.feed(kSimple.substr(kSimple.size() - 1)), State::kComplete);
  EXPECT_EQ(r.take().body, "hello");
}

TEST(RequestReader, KeepsWhatCameBehindARequest) {
  RequestReader r = reader();
  ASSERT_EQ(r.feed(std::string(kSimple) + "GET /second HTTP/1.1\r\n\r\n"), State::kComplete);
  EXPECT_EQ(r.take().body, "hello");
  EXPECT_FALSE(r.idle());
  ASSERT_EQ(r.feed({}), State::kComplete);
  EXPECT_EQ(r.take().path, "/second");
  EXPECT_EQ(r.feed({}), State::kMore);
  EXPECT_TRUE(r.idle());
}

TEST(RequestReader, ReadsABodyInChunks) {
  RequestReader r = reader();
  ASSERT_EQ(r.feed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
            State::kMore);
  ASSERT_EQ(r.feed("2;x=y\r\nde\r\n0\r\n\r\n"), State::kComplete);
  EXPECT_EQ(r.take().body, "abcde");
}

// Beast asserts that a last chunk it has seen once comes back with 5 bytes at least.
TEST(RequestReader, ReadsALastChunkThatArrivesByteByByte) {
  for (const std::string body : {"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "00;a=b\r\nx: y\r\n\r\n"}) {
    RequestReader r = reader();
    ASSERT_EQ(r.feed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), State::kMore);
    for (std::size_t i = 0; i + 1 < body.size(); ++i)
      ASSERT_EQ(r.feed(std::string_view(body).substr(i, 1)), State::kMore) << body << i;
    ASSERT_EQ(r.feed(body.substr(body.size() - 1)), State::kComplete) << body;
    EXPECT_EQ(r.take().body, body[0] == '3' ? "abc" : "");
  }
}

TEST(RequestReader, SaysOnceThatTheClientWaitsForPermission) {
  RequestReader r = reader();
  ASSERT_EQ(r.feed("POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"),
            State::kContinue);
  ASSERT_EQ(r.feed("a"), State::kMore);
  ASSERT_EQ(r.feed("b"), State::kComplete);
  EXPECT_EQ(r.take().body, "ab");
}

TEST(RequestReader, GivesNoPermissionForABodyThatIsTooLarge) {
  EXPECT_EQ(refused_with("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 65\r\n\r\n"),
            413);
}

TEST(RequestReader, DecodesTheQueryAndLeavesThePathAsSent) {
  RequestReader r = reader();
  ASSERT_EQ(r.feed("GET /v1/a%2Fb?name=x%20y&empty&=&bad=%zz&c=1 HTTP/1.1\r\n\r\n"),
            State::kComplete);
  const Request request = r.take();
  EXPECT_EQ(request.path, "/v1/a%2Fb");
  const std::map<std::string, std::string> expected{
      {"name", "x y"}, {"empty", ""}, {"", ""}, {"bad", "%zz"}, {"c", "1"}};
  EXPECT_EQ(request.query, expected);
}

TEST(RequestReader, JoinsRepeatedHeadersAndLowersTheirNames) {
  RequestReader r = reader();
  ASSERT_EQ(r.feed("GET / HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\n\r\n"), State::kComplete);
  EXPECT_EQ(r.take().headers.at("x-a"), "1, 2");
}

TEST(RequestReader, KnowsWhenTheClientWantsTheConnectionClosed) {
  RequestReader r = reader();
  ASSERT_EQ(r.feed("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), State::kComplete);
  (void)r.take();
  EXPECT_FALSE(r.keep_alive());
  RequestReader old = reader();
  ASSERT_EQ(old.feed("GET / HTTP/1.0\r\n\r\n"), State::kComplete);
  (void)old.take();
  EXPECT_FALSE(old.keep_alive());
}

TEST(RequestReader, RefusesWhatIsOverALimit) {
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\nX: " + std::string(2000, 'a')), 431);
  EXPECT_EQ(refused_with("GET /" + std::string(2000, 'a')), 431);
  EXPECT_EQ(refused_with("POST / HTTP/1.1\r\nContent-Length: 65\r\n\r\n"), 413);
  EXPECT_EQ(refused_with("POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n"), 413);
  EXPECT_EQ(refused_with("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n" +
                         std::string(65, 'b')),
            413);
  EXPECT_EQ(refused_with("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
                         std::string(3000, 'e')),
            400);
}

TEST(RequestReader, RefusesManySmallChunksThatTogetherAreOverTheLimit) {
  RequestReader r = reader();
  ASSERT_EQ(r.feed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), State::kMore);
  State state = State::kMore;
  for (int i = 0; i < 65 && state == State::kMore; ++i) state = r.feed("1\r\nx\r\n");
  EXPECT_EQ(state, State::kRefused);
  EXPECT_EQ(r.refusal().status, 413);
}

TEST(RequestReader, RefusesAHeaderThatNeverEndsLineByLine) {
  RequestReader r = reader();
  ASSERT_EQ(r.feed("GET / HTTP/1.1\r\n"), State::kMore);
  State state = State::kMore;
  int lines = 0;
  while (state == State::kMore && lines < 1000) {
    state = r.feed(fmt::format("X-{}: 1\r\n", lines));
    ++lines;
  }
  EXPECT_EQ(state, State::kRefused);
  EXPECT_EQ(r.refusal().status, 431);
  EXPECT_LT(lines, 200);
}

TEST(RequestReader, RefusesWhatIsNotHttp) {
  EXPECT_EQ(refused_with(std::string("\0\0\0\0\r\n\r\n", 8)), 400);
  EXPECT_EQ(refused_with("{\"Name\":\"x\"}\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("POST  / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("POST / HTTP/1.1\r\nno colon\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("POST / HTTP/2.0\r\n\r\n"), 400);
}

TEST(RequestReader, RefusesAmbiguousLengths) {
  EXPECT_EQ(refused_with("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            400);
  EXPECT_EQ(
      refused_with(
          "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      400);
}

TEST(RequestReader, StaysRefused) {
  RequestReader r = reader();
  ASSERT_EQ(r.feed("garbage\r\n\r\n"), State::kRefused);
  EXPECT_EQ(r.feed(kSimple), State::kRefused);
}

}  // namespace
}  // namespace fairlead::http
