#include <atomic>

#include "tests/plugin-api/http/http_fixture.h"

namespace fairlead::http::testing {
namespace {

TEST(HttpStop, AnswersTheRequestUnderWayAndClosesIdleConnections) {
  std::atomic<bool> inside{false};
  RunningServer server([&](const Request& request) {
    inside = true;
    std::this_thread::sleep_for(300ms);
    return echo(request);
  });
  RawClient idle = server.client();
  RawClient busy = server.client();
  busy.say(post("/p", "x"));
  while (!inside) std::this_thread::sleep_for(1ms);
  server.server->stop();
  EXPECT_EQ(idle.hear_all(), "");
  EXPECT_TRUE(busy.hear_all().ends_with("POST /p x"));
  server.wait();
}

TEST(HttpStop, AnswersWhoHasConnectedAndNotAskedYet) {
  RunningServer server(echo);
  RawClient fresh = server.client();
  RawClient used = server.client();
  used.say(post("/a", "x"));
  EXPECT_TRUE(used.hear_once()->ends_with("POST /a x"));  // so the one before it is accepted
  server.server->stop();
  EXPECT_EQ(used.hear_all(), "");
  fresh.say(post("/b", "y"));
  EXPECT_TRUE(fresh.hear_all().ends_with("POST /b y"));
  server.wait();
}

TEST(HttpStop, RemovesItsSocketAndTakesNoMoreConnections) {
  RunningServer server(echo);
  server.stop();
  EXPECT_FALSE(std::filesystem::exists(server.path));
  EXPECT_FALSE(server.client().connected());
}

TEST(HttpStop, MayBeAskedForTwiceAndBeforeTheServerRuns) {
  const TemporaryFolder folder;
  std::vector<Listener> listeners;
  listeners.push_back({.socket = listen_unix(folder / "a", 0600, "").value(),
                       .path = folder / "a",
                       .handler = echo});
  auto server = make_server(std::move(listeners), {});
  ASSERT_TRUE(server);
  (*server)->stop();
  (*server)->stop();
  (*server)->run();
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
}

TEST(HttpStop, DoesNotWaitLongForARequestThatHasOnlyBegun) {
  RunningServer server(echo);
  RawClient client = server.client();
  client.say("POST / HTTP/1.1\r\nX: ");
  std::this_thread::sleep_for(50ms);
  const auto start = std::chrono::steady_clock::now();
  server.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST(HttpStop, UnderLoadEveryAcceptedRequestIsAnsweredWholeOrNotAtAll) {
  RunningServer server([](const Request& request) {
    std::this_thread::sleep_for(1ms);
    return echo(request);
  });
  std::atomic<int> answered{0};
  std::atomic<int> torn{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back([&] {
      RawClient client = server.client();
      while (client.say(post("/p", "x"))) {
        const std::string answer = client.hear_once().value_or("");
        if (answer.empty()) return;
        if (!answer.starts_with("HTTP/1.1 200 OK\r\n") || !answer.ends_with("POST /p x")) ++torn;
        ++answered;
      }
    });
  }
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (answered < 100 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
  server.stop();
  for (std::thread& client : clients) client.join();
  EXPECT_GE(answered, 100);
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace fairlead::http::testing
