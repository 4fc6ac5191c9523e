#include "tests/plugin-api/http/http_fixture.h"

namespace fairlead::http::testing {
namespace {

Limits impatient() {
  Limits limits;
  limits.header_time = 1s;
  limits.idle_time = 1s;
  return limits;
}

std::string status_line(const std::string& answer) { return answer.substr(0, answer.find('\r')); }

TEST(HttpLimits, ASlowHeaderIsTimedOut) {
  const RunningServer server(echo, impatient());
  RawClient client = server.client();
  const auto start = std::chrono::steady_clock::now();
  std::thread dripping([&] {
    for (const char c : std::string("POST / HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaa")) {
      if (!client.say({&c, 1})) return;
      std::this_thread::sleep_for(100ms);
    }
  });
  const std::string all = client.hear_all();
  const auto took = std::chrono::steady_clock::now() - start;
  client.end();
  dripping.join();
  EXPECT_EQ(status_line(all), "HTTP/1.1 408 Request Timeout");
  EXPECT_GE(took, 900ms);
  EXPECT_LT(took, 4s);
}

TEST(HttpLimits, ABodyThatNeverComesIsTimedOut) {
  const RunningServer server(echo, impatient());
  RawClient client = server.client();
  client.say("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nfive");
  EXPECT_EQ(status_line(client.hear_all()), "HTTP/1.1 408 Request Timeout");
}

TEST(HttpLimits, AnIdleConnectionIsClosedWithoutAWord) {
  const RunningServer server(echo, impatient());
  RawClient client = server.client();
  EXPECT_EQ(client.hear_all(), "");
}

TEST(HttpLimits, AKeptConnectionIsClosedWhenItIsIdle) {
  const RunningServer server(echo, impatient());
  RawClient client = server.client();
  client.say(post("/p", "x"));
  EXPECT_TRUE(client.hear_all().ends_with("POST /p x"));
}

TEST(HttpLimits, ASlowHandlerIsNotTimedOut) {
  const RunningServer server(
      [](const Request& request) {
        std::this_thread::sleep_for(2500ms);
        return echo(request);
      },
      impatient());
  RawClient client = server.client();
  client.say(post("/slow", "x"));
  EXPECT_TRUE(client.hear_all().ends_with("POST /slow x"));
}

TEST(HttpLimits, AReaderWhoDoesNotReadIsLetGo) {
  const RunningServer server(
      [](const Request&) {
        return Response{.status = 200,
                        .content_type = "text/plain",
                        .body = std::string(8 << 20, 'x'),
                        .headers = {}};
      },
      impatient());
  RawClient client = server.client();
  client.say(post("/", ""));
  EXPECT_TRUE(client.await_close());
  EXPECT_LT(client.hear_all().size(), std::size_t{8} << 20);
}

TEST(HttpLimits, AHeaderThatIsTooLargeIsRefused) {
  const RunningServer server(echo);
  RawClient client = server.client();
  client.say("POST / HTTP/1.1\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n");
  EXPECT_EQ(status_line(client.hear_all()), "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST(HttpLimits, ABodyThatIsTooLargeIsRefusedAndTheClientLearnsIt) {
  const RunningServer server(echo);
  RawClient client = server.client();
  // The client sends all before it reads, as most do.
  client.say(post("/", std::string(3 << 20, 'b')));
  client.end();
  EXPECT_EQ(status_line(client.hear_all()), "HTTP/1.1 413 Content Too Large");
}

TEST(HttpLimits, ABodyAtTheLimitIsTaken) {
  const RunningServer server([](const Request& request) {
    return Response{.status = 200,
                    .content_type = "text/plain",
                    .body = std::to_string(request.body.size()),
                    .headers = {}};
  });
  RawClient client = server.client();
  client.say(post("/", std::string(2 << 20, 'b'), "Connection: close\r\n"));
  EXPECT_TRUE(client.hear_all().ends_with("\r\n\r\n2097152"));
}

TEST(HttpLimits, GarbageIsRefused) {
  const RunningServer server(echo);
  for (const std::string& garbage :
       {std::string("\x16\x03\x01\x02\r\n\r\n"), std::string(100, '\0') + "\r\n\r\n",
        std::string("{}\r\n\r\n"), std::string("POST / HTTP/1.1\r\n: x\r\n\r\n")}) {
    RawClient client = server.client();
    client.say(garbage);
    client.end();
    EXPECT_EQ(status_line(client.hear_all()), "HTTP/1.1 400 Bad Request");
  }
}

TEST(HttpLimits, ARequestThatIsCutOffIsRefused) {
  const RunningServer server(echo);
  RawClient client = server.client();
  client.say("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nfive");
  client.end();
  EXPECT_EQ(status_line(client.hear_all()), "HTTP/1.1 400 Bad Request");
}

TEST(HttpLimits, MoreConnectionsThanAllowedWaitForTheirTurn) {
  Limits limits;
  limits.connections = 2;
  const RunningServer server(echo, limits);
  auto first = std::make_unique<RawClient>(server.path);
  RawClient second = server.client();
  for (RawClient* client : {first.get(), &second}) {
    client->say(post("/p", "in"));
    ASSERT_TRUE(client->hear_once());
  }
  RawClient third = server.client();
  third.say(post("/p", "waited"));
  EXPECT_FALSE(third.hear_once(200ms)) << "a third connection was served";
  first.reset();
  EXPECT_TRUE(third.hear_once().value_or("").ends_with("POST /p waited"));
}

}  // namespace
}  // namespace fairlead::http::testing
