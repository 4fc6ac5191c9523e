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

TEST(HttpStop, WhatHangsIsAnswered503AndToldThatTheClientIsGone) {
  Limits limits;
  limits.stop_time = 200ms;
  limits.workers = {2, 1, 1, 1};
  std::atomic<int> inside{0}, told{0};
  RunningServer server(
      [&](const Request& request) {
        ++inside;
        while (!request.hung_up()) std::this_thread::sleep_for(1ms);
        ++told;
        return echo(request);
      },
      limits);
  RawClient first = server.client(), second = server.client(), queued = server.client();
  first.say(post("/p", "x"));
  second.say(post("/p", "x"));
  while (inside < 2) std::this_thread::sleep_for(1ms);
  queued.say(post("/p", "x"));
  server.server->stop();
  for (RawClient* client : {&first, &second, &queued})
    EXPECT_TRUE(client->hear_all().starts_with("HTTP/1.1 503 ")) << "within the time to stop";
  server.wait();
  server.server.reset();
  EXPECT_EQ(told, inside);
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
