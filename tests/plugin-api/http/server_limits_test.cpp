#include <atomic>

#include "plugin-api/http/shares.h"
#include "plugin-api/http/worker_pool.h"
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

// The tests are one peer, so that its share is what they come up against.
TEST(HttpLimits, OneConnectionTooManyTakesThePlaceOfThatWhichWasIdleLongest) {
  Limits limits;
  limits.peer_connections = 2;
  const RunningServer server(echo, limits);
  RawClient first = server.client(), second = server.client();
  for (RawClient* client : {&second, &first}) {
    client->say(post("/p", "in"));
    ASSERT_TRUE(client->hear_once());
  }
  RawClient third = server.client();
  third.say(post("/p", "x"));
  EXPECT_TRUE(third.hear_once().value_or("").ends_with("POST /p x"));
  EXPECT_EQ(second.hear_all(), "");
  first.say(post("/p", "still"));
  EXPECT_TRUE(first.hear_once().value_or("").ends_with("POST /p still"));
}

// A handler that waits until it is let go.
class Gate {
 public:
  Response wait(const Request& request) {
    ++inside;
    while (!open) std::this_thread::sleep_for(1ms);
    --inside;
    return echo(request);
  }
  void await(int number) const {
    while (inside < number) std::this_thread::sleep_for(1ms);
  }
  std::atomic<int> inside{0};
  std::atomic<bool> open{false};
};

TEST(HttpLimits, OneConnectionTooManyIsTurnedAwayWhereNoneIsIdle) {
  for (const bool whole_socket : {false, true}) {
    Gate gate;
    Limits limits;
    (whole_socket ? limits.connections : limits.peer_connections) = 2;
    const RunningServer server([&](const Request& request) { return gate.wait(request); }, limits);
    RawClient first = server.client(), second = server.client();
    first.say(post("/p", "1"));
    second.say(post("/p", "2"));
    gate.await(2);
    RawClient third = server.client();
    third.say(post("/p", std::string(100'000, 'x')));
    third.end();
    EXPECT_EQ(status_line(third.hear_all()), "HTTP/1.1 503 Service Unavailable");
    gate.open = true;
    EXPECT_TRUE(first.hear_once().value_or("").ends_with("POST /p 1"));
    EXPECT_TRUE(second.hear_once().value_or("").ends_with("POST /p 2"));
    RawClient fourth = server.client();
    fourth.say(post("/p", "4"));
    EXPECT_TRUE(fourth.hear_once().value_or("").ends_with("POST /p 4"));
  }
}

TEST(HttpLimits, AFloodOfOneSocketLeavesTheOthersAlone) {
  const TemporaryFolder folder;
  std::vector<Listener> listeners;
  for (const char* name : {"a", "b"})
    listeners.push_back({.socket = listen_unix(folder / name, 0600, "").value(),
                         .path = folder / name,
                         .handler = echo});
  Limits limits;
  limits.connections = limits.peer_connections = 20;
  auto server = make_server(std::move(listeners), limits).value();
  std::thread running([&] { server->run(); });
  RawClient kept(folder / "b");
  kept.say(post("/p", "first"));
  EXPECT_TRUE(kept.hear_once().value_or("").ends_with("POST /p first"));
  std::vector<RawClient> flood;
  for (int i = 0; i < 200; ++i) flood.emplace_back(folder / "a").say("POST / HTTP/1.1\r\nX: ");
  kept.say(post("/p", "still"));
  EXPECT_TRUE(kept.hear_once().value_or("").ends_with("POST /p still"));
  RawClient fresh(folder / "b");
  fresh.say(post("/p", "new"));
  EXPECT_TRUE(fresh.hear_once().value_or("").ends_with("POST /p new"));
  server->stop();
  running.join();
}

TEST(HttpLimits, BodiesBeyondThePeersShareAreRefusedUntilThereIsRoom) {
  Gate gate;
  Limits limits;
  limits.peer_bodies_bytes = 1 << 20;
  const RunningServer server([&](const Request& request) { return gate.wait(request); }, limits);
  const std::string body(400'000, 'b');
  RawClient first = server.client(), second = server.client();
  first.say(post("/p", body));
  second.say(post("/p", body));
  gate.await(2);
  RawClient third = server.client();
  third.say(post("/p", body));
  third.end();
  const std::string refused = third.hear_all();
  EXPECT_EQ(status_line(refused), "HTTP/1.1 503 Service Unavailable");
  EXPECT_NE(refused.find("too much memory"), std::string::npos) << refused;
  RawClient small = server.client();
  small.say(post("/p", "small"));
  gate.await(3);
  gate.open = true;
  for (RawClient* client : {&first, &second, &small}) EXPECT_TRUE(client->hear_once());
  RawClient fourth = server.client();
  fourth.say(post("/p", body, "Connection: close\r\n"));
  EXPECT_EQ(status_line(fourth.hear_all()), "HTTP/1.1 200 OK");
}

// A body that is announced takes its place although it never comes.
TEST(HttpLimits, AnAnnouncedBodyCounts) {
  Limits limits;
  limits.peer_bodies_bytes = 3 << 20;
  const RunningServer server(echo, limits);
  RawClient first = server.client(), second = server.client();
  for (RawClient* client : {&first, &second})
    client->say("POST / HTTP/1.1\r\nContent-Length: 2000000\r\n\r\nx");
  EXPECT_EQ(status_line(second.hear_all()), "HTTP/1.1 503 Service Unavailable");
}

Classify by_path() {
  return [](const Request& request) {
    return request.path == "/network"  ? Work::kNetwork
           : request.path == "/volume" ? Work::kVolume
                                       : Work::kLong;
  };
}

TEST(HttpLimits, SlowWorkOfOneClassDelaysNoOtherClass) {
  Gate gate;
  const RunningServer server(
      [&](const Request& request) {
        return request.path == "/long" ? gate.wait(request) : echo(request);
      },
      {}, by_path());
  std::vector<RawClient> slow;
  for (int i = 0; i < 50; ++i) slow.emplace_back(server.path).say(post("/long", "x"));
  gate.await(6);
  for (const char* path : {"/network", "/volume"}) {
    RawClient client = server.client();
    client.say(post(path, "x"));
    EXPECT_TRUE(client.hear_once().value_or("").ends_with(std::string("POST ") + path + " x"));
  }
  RawClient more = server.client();
  more.say(post("/long", "x"));
  EXPECT_FALSE(more.hear_once(100ms)) << "the control: slow work has no end of workers";
  gate.open = true;
  EXPECT_TRUE(more.hear_once());
}

TEST(WorkerPool, OnePeerLeavesAQuarterToTheOthers) {
  std::atomic<bool> open{false};
  std::atomic<int> inside{0}, others{0};
  WorkerPool pool(4);
  for (int i = 0; i < 10; ++i)
    pool.submit(1, [&] {
      ++inside;
      while (!open) std::this_thread::sleep_for(1ms);
    });
  while (inside < 3) std::this_thread::sleep_for(1ms);
  for (int i = 0; i < 10; ++i) pool.submit(2, [&] { ++others; });
  while (others < 10) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(inside, 3);
  open = true;
}

TEST(Shares, RootsProcessesAreEachAPeerAndOthersAreTheirUser) {
  EXPECT_NE(key_of({.pid = 7, .uid = 0}), key_of({.pid = 8, .uid = 0}));
  EXPECT_EQ(key_of({.pid = 7, .uid = 5}), key_of({.pid = 8, .uid = 5}));
  EXPECT_NE(key_of({.pid = 5, .uid = 0}), key_of({.pid = 5, .uid = 5}));
}

TEST(Shares, WhatOneTakesIsBoundedAndSoIsTheSum) {
  Limits limits;
  limits.bodies_bytes = 100;
  limits.peer_bodies_bytes = 60;
  limits.streams = 3;
  limits.peer_streams = 2;
  Shares shares(limits);
  for (const PeerKey peer : {PeerKey{1}, PeerKey{2}}) shares.add_connection(peer);
  EXPECT_TRUE(shares.take_body(1, 60));
  EXPECT_FALSE(shares.take_body(1, 1));
  EXPECT_TRUE(shares.take_body(2, 40));
  EXPECT_FALSE(shares.take_body(2, 1));
  shares.give_body(1, 60);
  EXPECT_TRUE(shares.take_body(2, 20));
  EXPECT_TRUE(shares.take_stream(1) && shares.take_stream(1));
  EXPECT_FALSE(shares.take_stream(1));
  EXPECT_TRUE(shares.take_stream(2));
  EXPECT_FALSE(shares.take_stream(2));
}

}  // namespace
}  // namespace fairlead::http::testing
