// The client over Unix sockets, against the server of plugin-api/http and against bytes.
#include "tests/plugin-api/http/http_fixture.h"

namespace fairlead::http::testing {
namespace {

using http_client::Client;
using http_client::LineStream;
using http_client::unix_server;

http_client::Request get(std::string path) {
  return {.path = std::move(path), .headers = {{"X-Test", "1"}}, .body = "", .method = "GET"};
}

// Takes one connection, and answers with these bytes as soon as something was sent.
void answer_one(const UniqueFd& listener, std::string_view answer) {
  pollfd entry{.fd = listener.get(), .events = POLLIN, .revents = 0};
  ::poll(&entry, 1, 5000);
  const UniqueFd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  char buffer[4096];
  [[maybe_unused]] const auto got = ::recv(connection.get(), buffer, sizeof(buffer), 0);
  ::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
}

// Listens once and answers with these bytes.
class Canned {
 public:
  Canned(const std::string& path, std::string answer)
      : socket_(listen_unix(path, 0600, "").value()),
        thread_([this, answer = std::move(answer)] { answer_one(socket_, answer); }) {}
  ~Canned() { thread_.join(); }

 private:
  UniqueFd socket_;
  std::thread thread_;
};

TEST(UnixHttpClient, SendsMethodAndHeadersAndReadsStatusHeadersAndBody) {
  const RunningServer server([](const Request& request) {
    return Response{.status = 404,
                    .content_type = "text/plain",
                    .body = request.method + request.headers.at("x-test") + request.path +
                            request.query.at("a"),
                    .headers = {{"X-Reply", "yes"}}};
  });
  const auto response = call(server.path, get("/thing?a=b"), 5s);
  ASSERT_TRUE(response) << response.error().text;
  EXPECT_EQ(response->status, 404);
  EXPECT_EQ(response->headers.at("content-type"), "text/plain");
  EXPECT_EQ(response->body, "GET1/thingb");
  EXPECT_EQ(response->headers.at("x-reply"), "yes");
}

TEST(UnixHttpClient, KeepsItsConnection) {
  const RunningServer server(echo);
  Client client(unix_server(server.path));
  for (const std::string body : {"one", "two"})
    EXPECT_EQ(client.call({.path = "/a", .headers = {}, .body = body}, 5s).value().body,
              "POST /a " + body);
}

TEST(UnixHttpClient, ReadsALargeAnswerUpToItsLimit) {
  const RunningServer server([](const Request&) {
    return Response{.status = 200,
                    .content_type = "text/plain",
                    .body = std::string(5 << 20, 'y'),
                    .headers = {}};
  });
  const auto response = call(server.path, get("/"), 5s);
  ASSERT_TRUE(response) << response.error().text;
  EXPECT_EQ(response->body.size(), std::size_t{5} << 20);
  EXPECT_EQ(Client(unix_server(server.path), 1 << 20).call(get("/"), 5s).error().code,
            Code::kExhausted);
}

TEST(UnixHttpClient, ReadsTheAnswerOfAServerThatDoesNotReadTheRequest) {
  const TemporaryFolder folder;
  const Canned server(folder / "full",
                      "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 4\r\n\r\nfull");
  const auto response =
      call(folder / "full", {.path = "/", .headers = {}, .body = std::string(8 << 20, 'x')}, 5s);
  ASSERT_TRUE(response) << response.error().text;
  EXPECT_EQ(response->status, 413);
  EXPECT_EQ(response->body, "full");
}

TEST(UnixHttpClient, ReadsChunksAndBodiesThatEndWithTheConnectionAndNoBody) {
  const TemporaryFolder folder;
  const auto body_of = [&](const char* answer) {
    const Canned server(folder / "canned", answer);
    return call(folder / "canned", get("/"), 5s).value().body;
  };
  EXPECT_EQ(
      body_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
              "3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n"),
      "abcde");
  EXPECT_EQ(body_of("HTTP/1.0 200 OK\r\n\r\nuntil the end"), "until the end");
  EXPECT_EQ(body_of("HTTP/1.1 204 No Content\r\n\r\n"), "");
}

TEST(UnixHttpClient, ReadsAnAnswerLineByLine) {
  const TemporaryFolder folder;
  const Canned server(folder / "lines",
                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "4\r\none\n\r\n6\r\ntwo\nth\r\n3\r\nree\r\n0\r\n\r\n");
  auto lines = LineStream::open(unix_server(folder / "lines"), get("/"), 5s, {});
  ASSERT_TRUE(lines) << lines.error().text;
  for (const std::string line : {"one", "two", "three"})
    EXPECT_EQ((*lines)->next_line(5s).value(), line);
  EXPECT_EQ((*lines)->next_line(5s).value(), std::nullopt);
}

TEST(UnixHttpClient, SaysThatNothingWasSentWhereNobodyListens) {
  const TemporaryFolder folder;
  { const auto gone = listen_unix(folder / "gone", 0600, ""); }
  for (const std::string& path : {folder / "none", folder / "gone", folder / "gone/api.sock"}) {
    const auto response = call(path, get("/"), 1s);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Code::kUnavailable);
    EXPECT_EQ(response.error().text, "nobody listens at " + path);
  }
  const auto long_path = call(folder / std::string(200, 'a'), get("/"), 1s);
  EXPECT_EQ(long_path.error().code, Code::kInvalid);
}

TEST(UnixHttpClient, LeavesASilentServerAtTheDeadline) {
  const TemporaryFolder folder;
  const auto silent = listen_unix(folder / "silent", 0600, "");
  const auto response = call(folder / "silent", get("/"), 100ms);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kIo) << "the request may have arrived";
  EXPECT_EQ(response.error().text, "no answer in time");
}

// connect(2) answers EAGAIN then, which is no connection.
TEST(UnixHttpClient, WaitsForAPlaceInAFullBacklog) {
  const TemporaryFolder folder;
  const auto server = listen_unix(folder / "full", 0600, "");
  ASSERT_EQ(::listen(server->get(), 0), 0);
  RawClient first(folder / "full");
  EXPECT_EQ(call(folder / "full", get("/"), 100ms).error().code, Code::kUnavailable);
  first.say("x");
  std::thread room([&] {
    std::this_thread::sleep_for(50ms);
    answer_one(*server, "");
    answer_one(*server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nin");
  });
  EXPECT_EQ(call(folder / "full", get("/"), 5s).value_or(http_client::Response{}).body, "in");
  room.join();
}

TEST(UnixHttpClient, SaysThatTheAnswerIsNone) {
  const TemporaryFolder folder;
  for (const char* answer :
       {"", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    const std::string path = folder / "canned";
    const Canned server(path, answer);
    const auto response = call(path, get("/"), 5s);
    ASSERT_FALSE(response) << answer;
    EXPECT_EQ(response.error().code, Code::kIo) << answer;
  }
}

}  // namespace
}  // namespace fairlead::http::testing
