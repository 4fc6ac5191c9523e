#include <atomic>
#include <stdexcept>

#include "tests/plugin-api/http/http_fixture.h"

namespace fairlead::http::testing {
namespace {

TEST(HttpServer, AnswersInOneSend) {
  const RunningServer server([](const Request&) {
    return Response{.status = 200,
                    .content_type = "text/plain",
                    .body = std::string(60'000, 'x'),
                    .headers = {}};
  });
  RawClient client = server.client();
  client.say(post("/", ""));
  const auto first = client.hear_once();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_GT(first->size(), 60'000U) << "header and body came in more than one piece";
}

TEST(HttpServer, KeepsTheConnectionForTheNextRequest) {
  const RunningServer server(echo);
  RawClient client = server.client();
  for (const char* body : {"one", "two", "three"}) {
    client.say(post("/p", body));
    const auto answer = client.hear_once();
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->ends_with(std::string("POST /p ") + body)) << *answer;
  }
}

TEST(HttpServer, ClosesTheConnectionWhenTheClientAsksForIt) {
  const RunningServer server(echo);
  RawClient client = server.client();
  client.say(post("/p", "x", "Connection: close\r\n"));
  const std::string all = client.hear_all();
  EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(all.ends_with("POST /p x"));
}

TEST(HttpServer, AnswersAClientThatHasClosedItsSide) {
  const RunningServer server(echo);
  RawClient client = server.client();
  client.say(post("/p", "x"));
  client.end();
  EXPECT_TRUE(client.hear_all().ends_with("POST /p x"));
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  const RunningServer server(echo);
  RawClient client = server.client();
  client.say(post("/1", "a") + post("/2", "b") + post("/3", "c", "Connection: close\r\n"));
  const std::string all = client.hear_all();
  const auto first = all.find("POST /1 a"), second = all.find("POST /2 b"),
             third = all.find("POST /3 c");
  ASSERT_NE(third, std::string::npos) << all;
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
}

TEST(HttpServer, AnswersARequestAndRefusesTheGarbageBehindIt) {
  const RunningServer server(echo);
  RawClient client = server.client();
  client.say(post("/1", "a") + "garbage that is not HTTP\r\n\r\n");
  const std::string all = client.hear_all();
  EXPECT_NE(all.find("POST /1 a"), std::string::npos);
  EXPECT_NE(all.find("HTTP/1.1 400 Bad Request"), std::string::npos) << all;
}

TEST(HttpServer, TakesBodiesInChunks) {
  const RunningServer server(echo);
  RawClient client = server.client();
  client.say(
      "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n");
  client.say("0\r\n\r\n");
  EXPECT_TRUE(client.hear_all().ends_with("POST /c abc"));
}

TEST(HttpServer, GivesPermissionBeforeTheBody) {
  const RunningServer server(echo);
  RawClient client = server.client();
  client.say(
      "POST /c HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.hear_once(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.say("abc");
  EXPECT_TRUE(client.hear_all().ends_with("POST /c abc"));
}

TEST(HttpServer, LeavesTheBodyOutOfTheAnswerToHead) {
  const RunningServer server(echo);
  RawClient client = server.client();
  client.say("HEAD /h HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.hear_all().ends_with("\r\n\r\n"));
}

TEST(HttpServer, TellsTheHandlerWhoAsks) {
  Peer seen;
  const RunningServer server([&](const Request& request) {
    seen = request.peer;
    return Response{};
  });
  RawClient client = server.client();
  client.say(post("/", ""));
  ASSERT_TRUE(client.hear_once());
  EXPECT_EQ(seen.pid, ::getpid());
  EXPECT_EQ(seen.uid, ::getuid());
  EXPECT_EQ(seen.gid, ::getgid());
}

TEST(HttpServer, TurnsAnExceptionIntoAnAnswerAndGoesOn) {
  const RunningServer server([](const Request& request) -> Response {
    if (request.path == "/throw") throw std::runtime_error("secret \" text");
    if (request.path == "/odd") throw 42;
    return echo(request);
  });
  RawClient client = server.client();
  for (const char* path : {"/throw", "/odd"}) {
    client.say(post(path, ""));
    const auto answer = client.hear_once();
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->starts_with("HTTP/1.1 500 ")) << *answer;
    EXPECT_EQ(answer->find("secret"), std::string::npos);
  }
  client.say(post("/fine", ""));
  EXPECT_TRUE(client.hear_once().value_or("").starts_with("HTTP/1.1 200 OK"));
}

TEST(HttpServer, ServesSeveralSocketsWithTheirOwnHandlers) {
  const TemporaryFolder folder;
  std::vector<Listener> listeners;
  for (const char* name : {"a", "b"}) {
    auto socket = listen_unix(folder / name, 0600, "");
    ASSERT_TRUE(socket);
    const Handler handler = [name](const Request&) {
      return Response{.status = 200, .content_type = "text/plain", .body = name, .headers = {}};
    };
    listeners.push_back({.socket = *std::move(socket), .path = folder / name, .handler = handler});
  }
  auto server = make_server(std::move(listeners), {});
  ASSERT_TRUE(server);
  std::thread thread([&] { (*server)->run(); });
  for (const std::string name : {"a", "b"})
    EXPECT_EQ(call(folder / name, {.path = "/", .headers = {}, .body = "", .method = "GET"}, 5s)
                  .value_or(http_client::Response{})
                  .body,
              name);
  (*server)->stop();
  thread.join();
}

TEST(HttpServer, AnswersTwoHundredConnectionsAtOnce) {
  std::atomic<int> together{0};
  std::atomic<int> most{0};
  const RunningServer server([&](const Request& request) {
    const int now = ++together;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    std::this_thread::sleep_for(1ms);
    --together;
    return echo(request);
  });
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) clients.emplace_back(server.path);
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i].say(post("/p", std::to_string(i)));
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const std::string answer = clients[i].hear_once().value_or("nothing");
      EXPECT_TRUE(answer.ends_with("POST /p " + std::to_string(i))) << answer;
    }
  }
  EXPECT_EQ(most, 9) << "of the 12 workers a peer has three quarters";
}

TEST(HttpServer, SurvivesClientsThatLeaveBeforeTheAnswer) {
  const RunningServer server([](const Request& request) {
    std::this_thread::sleep_for(5ms);
    return Response{.status = 200,
                    .content_type = "text/plain",
                    .body = std::string(2 << 20, 'x') + request.path,
                    .headers = {}};
  });
  for (int i = 0; i < 20; ++i) {
    RawClient client = server.client();
    client.say(post("/gone", ""));
  }
  RawClient client = server.client();
  client.say(post("/here", "", "Connection: close\r\n"));
  EXPECT_TRUE(client.hear_all().ends_with("x/here"));
}

TEST(HttpServer, NeedsASocketToListenOn) {
  const auto server = make_server({}, {});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Code::kInvalid);
}

TEST(HttpServer, SaysToTheHandlerWhenTheClientHasHungUp) {
  std::atomic<bool> inside{false}, gone{false}, done{false};
  RunningServer server([&](const Request& request) {
    inside = true;
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!request.hung_up() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(1ms);
    gone = request.hung_up();
    done = true;
    return echo(request);
  });
  {
    RawClient client = server.client();
    client.say(post("/p", "x"));
    while (!inside) std::this_thread::sleep_for(1ms);
    EXPECT_FALSE(done);
  }
  while (!done) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(gone);
}

TEST(HttpServer, AClientThatOnlySendsNoMoreStillWaitsForItsAnswer) {
  RunningServer server([](const Request& request) {
    std::this_thread::sleep_for(20ms);
    Response response = echo(request);
    response.body = request.hung_up() ? "gone" : "there";
    return response;
  });
  RawClient client = server.client();
  client.say(post("/p", "x", "Connection: close\r\n"));
  client.end();
  EXPECT_TRUE(client.hear_all().ends_with("there"));
}

}  // namespace
}  // namespace fairlead::http::testing
