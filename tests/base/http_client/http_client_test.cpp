// The client against a server that says what a server may say, and what it may not.
#include "base/http_client/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <stop_token>

#include "base/process.h"
#include "tests/base/http_client/scripted_server.h"

namespace fairlead::http_client {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using testing::Peer;
using testing::ScriptedServer;

constexpr milliseconds kSoon{500}, kLong{10'000};
const Request kRequest{"/v3/kv/range", {{"Authorization", "secret"}}, R"({"key":"a"})"};

std::string ok(std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

// Says the same to each request, and closes the connection behind it.
std::function<void(Peer&)> says(std::string text) {
  return [text = std::move(text)](Peer& peer) {
    peer.request();
    peer.say(text);
  };
}

void says_nothing(Peer& peer) {
  peer.request();
  peer.wait_for_end();
}

Result<Response> post(const ScriptedServer& server, milliseconds timeout = kLong,
                      std::size_t most = Client::kMostAnswer) {
  return Client(tcp_server(server.address(), {}), most).call(kRequest, timeout);
}

TEST(HttpClient, SendsOneRequestAndReadsItsAnswer) {
  std::string request;
  const ScriptedServer server([&](Peer& peer) {
    request = peer.request();
    peer.say("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnever");
  });
  const auto answer = post(server);
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->body, "never");
  EXPECT_EQ(request, fmt::format("POST /v3/kv/range HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n"
                                 "Content-Type: application/json\r\nAuthorization: secret\r\n"
                                 "Content-Length: 11\r\n\r\n{{\"key\":\"a\"}}",
                                 server.address().port));
}

TEST(HttpClient, AHostOfIpv6StandsInBrackets) {
  std::string request;
  const ScriptedServer server(
      [&](Peer& peer) {
        request = peer.request();
        peer.say(ok("{}"));
      },
      AF_INET6);
  ASSERT_TRUE(post(server));
  EXPECT_THAT(request, HasSubstr(fmt::format("Host: [::1]:{}\r\n", server.address().port)));
}

TEST(HttpClient, AnAnswerMayComeInChunksOrEndWithTheConnection) {
  const ScriptedServer chunks(
      says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1\r\n \r\n0\r\n\r\n"));
  EXPECT_EQ(post(chunks).value().body, "{} ");
  const ScriptedServer until_the_end(says("HTTP/1.1 200 OK\r\n\r\nall of it"));
  EXPECT_EQ(post(until_the_end).value().body, "all of it");
  const ScriptedServer in_pieces([](Peer& peer) {
    peer.request();
    for (const char c : ok("byte by byte")) peer.say({&c, 1});
  });
  EXPECT_EQ(post(in_pieces).value().body, "byte by byte");
}

TEST(HttpClient, LargeBodiesGoBothWays) {
  const std::string large(5U << 20, 'x');
  std::size_t arrived = 0;
  const ScriptedServer server([&](Peer& peer) {
    arrived = peer.request().size();
    peer.say(ok(large));
    peer.wait_for_end();
  });
  const auto answer = Client(tcp_server(server.address(), {})).call({"/", {}, large}, kLong);
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ(answer->body, large);
  EXPECT_GT(arrived, large.size());
}

TEST(HttpClient, AConnectionIsKeptAndOneThatWasClosedIsNotUsed) {
  const ScriptedServer keeps([](Peer& peer) {
    while (!peer.request().empty()) peer.say(ok("{}"));
  });
  Client client(tcp_server(keeps.address(), {}));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client.call(kRequest, kLong));
  EXPECT_EQ(keeps.connections(), 1);

  const ScriptedServer closes(
      says("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
  Client other(tcp_server(closes.address(), {}));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(other.call(kRequest, kLong));
  EXPECT_EQ(closes.connections(), 3);
}

TEST(HttpClient, WhatGoesWrongIsSaid) {
  const ScriptedServer breaks(says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
  const auto half = post(breaks);
  ASSERT_FALSE(half);
  EXPECT_EQ(half.error().code, Code::kIo);

  const ScriptedServer leaves([](Peer& peer) { peer.request(); });
  const auto nothing = post(leaves);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Code::kIo);
  EXPECT_THAT(nothing.error().text, HasSubstr("the server closed the connection"));

  const ScriptedServer stranger(says("SSH-2.0-OpenSSH_9.2\r\n"));
  EXPECT_EQ(post(stranger).error().code, Code::kIo);

  const ScriptedServer large(says(ok(std::string(100, 'x'))));
  const auto refused = post(large, kLong, 99);
  EXPECT_EQ(refused.error().code, Code::kExhausted);
  EXPECT_THAT(refused.error().text, HasSubstr("longer than 99 bytes"));
  EXPECT_TRUE(post(large, kLong, 100));
}

TEST(HttpClient, ASilentServerIsLeftAtTheDeadline) {
  const ScriptedServer silent(says_nothing);
  const auto before = post(silent, kSoon);
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, Code::kIo);
  EXPECT_THAT(before.error().text, HasSubstr("no answer in time"));
  const ScriptedServer stops([](Peer& peer) {
    peer.request();
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    peer.wait_for_end();
  });
  EXPECT_THAT(post(stops, kSoon).error().text, HasSubstr("no answer in time"));
}

TEST(HttpClient, WithoutAServerNothingWasSent) {
  ServerAddress gone;
  {
    const ScriptedServer server(says_nothing);
    gone = server.address();
  }
  EXPECT_EQ(Client(tcp_server(gone, {})).call(kRequest, kLong).error().code, Code::kUnavailable);
}

// ---- LineStream

Result<std::unique_ptr<LineStream>> open(const ScriptedServer& server, std::stop_token stop = {},
                                         const TlsFiles& tls = {}) {
  return LineStream::open(tcp_server(server.address(), tls), kRequest, kLong, std::move(stop));
}

std::string chunk(std::string_view text) {
  return fmt::format("{:x}\r\n{}\r\n", text.size(), text);
}
constexpr std::string_view kStream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST(LineStream, LinesDoNotGoByChunks) {
  const std::string longest(100'000, 'x');
  const ScriptedServer server([&](Peer& peer) {
    peer.request();
    peer.say(kStream);
    for (const std::string_view text : {"on", "e\ntwo\nthr", "ee\n\n"}) peer.say(chunk(text));
    peer.say(chunk(longest + "\nrest") + "0\r\n\r\n");
  });
  auto stream = open(server);
  ASSERT_TRUE(stream) << stream.error().text;
  EXPECT_EQ((*stream)->status(), 200);
  for (const std::string& line : {std::string("one"), std::string("two"), std::string("three"),
                                  std::string(), longest, std::string("rest")})
    EXPECT_EQ((*stream)->next_line(kLong).value(), line);
  EXPECT_EQ((*stream)->next_line(kLong).value(), std::nullopt);
}

TEST(LineStream, ARefusalIsAStreamWithItsBody) {
  const ScriptedServer server(says("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"));
  auto stream = open(server);
  ASSERT_TRUE(stream);
  EXPECT_EQ((*stream)->status(), 400);
  EXPECT_EQ((*stream)->next_line(kLong).value(), "no");
}

TEST(LineStream, SilenceAndABrokenConnectionAreErrors) {
  const ScriptedServer silent([](Peer& peer) {
    peer.request();
    peer.say(std::string(kStream) + chunk("one\n"));
    peer.wait_for_end();
  });
  auto stream = open(silent);
  ASSERT_TRUE(stream);
  EXPECT_EQ((*stream)->next_line(kLong).value(), "one");
  const auto nothing = (*stream)->next_line(kSoon);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Code::kIo);
  EXPECT_THAT(nothing.error().text, HasSubstr("silent"));

  const ScriptedServer breaks(says(std::string(kStream) + chunk("one\n") + "ff\r\nhalf"));
  stream = open(breaks);
  ASSERT_TRUE(stream);
  EXPECT_EQ((*stream)->next_line(kLong).value(), "one");
  EXPECT_EQ((*stream)->next_line(kLong).error().code, Code::kIo);
}

TEST(LineStream, AStopRequestEndsAReadThatWaits) {
  std::stop_source stop;
  const ScriptedServer server([&](Peer& peer) {
    peer.request();
    peer.say(std::string(kStream) + chunk("one\n"));
    peer.wait_for_end();
  });
  auto stream = open(server, stop.get_token());
  ASSERT_TRUE(stream);
  EXPECT_EQ((*stream)->next_line(kLong).value(), "one");
  std::jthread other([&] { stop.request_stop(); });
  EXPECT_EQ((*stream)->next_line(kLong).value(), std::nullopt);
}

// ---- TLS

class Tls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::filesystem::create_directories(folder());
    // Of its own authority, for 127.0.0.1 alone.
    const std::vector<std::string> command = {"openssl",
                                              "req",
                                              "-x509",
                                              "-newkey",
                                              "ec",
                                              "-pkeyopt",
                                              "ec_paramgen_curve:P-256",
                                              "-nodes",
                                              "-keyout",
                                              files().key,
                                              "-out",
                                              files().certificate,
                                              "-days",
                                              "2",
                                              "-subj",
                                              "/CN=a server",
                                              "-addext",
                                              "subjectAltName=IP:127.0.0.1"};
    const auto made = run_process(command, kLong);
    ASSERT_TRUE(made) << made.error().text;
    ASSERT_EQ(made->exit_code, 0) << made->err;
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder()); }
  static std::string folder() {
    return std::filesystem::temp_directory_path() / fmt::format("fairlead-tls-{}", ::getpid());
  }
  static TlsFiles files() {
    return {.ca = "", .certificate = folder() + "/server.pem", .key = folder() + "/server.key"};
  }
  static TlsFiles trusting() { return {.ca = files().certificate}; }
};

TEST_F(Tls, RequestsAndStreamsAreAsOverTcp) {
  const std::string large(1U << 20, 'x');
  const ScriptedServer server(
      [&](Peer& peer) {
        while (!peer.request().empty()) peer.say(ok(large));
      },
      AF_INET, files());
  Client client(tcp_server(server.address(), trusting()));
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.call({"/", {}, large}, kLong);
    ASSERT_TRUE(answer) << answer.error().text;
    EXPECT_EQ(answer->body, large);
  }
  EXPECT_EQ(server.connections(), 1);

  const ScriptedServer lines(says(std::string(kStream) + chunk("one\n") + "0\r\n\r\n"), AF_INET,
                             files());
  auto stream = open(lines, {}, trusting());
  ASSERT_TRUE(stream) << stream.error().text;
  EXPECT_EQ((*stream)->next_line(kLong).value(), "one");
  EXPECT_EQ((*stream)->next_line(kLong).value(), std::nullopt);
}

TEST_F(Tls, AServerThatCannotBeTrustedIsToldNothing) {
  std::atomic<bool> was_told = false;
  const ScriptedServer server([&](Peer& peer) { was_told = !peer.request().empty(); }, AF_INET,
                              files());
  const auto unknown = Client(tcp_server(server.address(), {})).call(kRequest, kLong);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kUnavailable);
  EXPECT_THAT(unknown.error().text, HasSubstr("TLS (CA of the system"));

  ServerAddress named = server.address();
  named.host = "localhost";  // resolves to it, but the certificate does not say so
  const auto other = Client(tcp_server(named, trusting())).call(kRequest, kLong);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kUnavailable);
  EXPECT_FALSE(was_told);

  TlsFiles missing = trusting();
  missing.ca += ".not";
  EXPECT_EQ(Client(tcp_server(server.address(), missing)).call(kRequest, kLong).error().code,
            Code::kInvalid);
}

TEST_F(Tls, AServerThatDoesNotSpeakItIsLeftAtTheDeadline) {
  const ScriptedServer plain([](Peer& peer) { peer.wait_for_end(); });
  ServerAddress address = plain.address();
  address.scheme = ServerAddress::Scheme::kHttps;
  const auto refused = Client(tcp_server(address, trusting())).call(kRequest, kSoon);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_THAT(refused.error().text, HasSubstr("no answer in time"));
}

}  // namespace
}  // namespace fairlead::http_client
