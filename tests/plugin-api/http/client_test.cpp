#include "plugin-api/http/client.h"

#include "tests/plugin-api/http/http_fixture.h"

namespace fairlead::http::testing {
namespace {

Request get(std::string path) {
  return {.method = "GET",
          .path = std::move(path),
          .query = {},
          .headers = {{"X-Test", "1"}},
          .body = "",
          .peer = {}};
}

// Listens once and answers with these bytes.
class Canned {
 public:
  Canned(const std::string& path, std::string answer)
      : socket_(listen_unix(path, 0600, "").value()) {
    thread_ = std::thread([this, answer = std::move(answer)] {
      pollfd entry{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      ::poll(&entry, 1, 5000);
      const UniqueFd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char buffer[4096];
      [[maybe_unused]] const auto got = ::recv(connection.get(), buffer, sizeof(buffer), 0);
      ::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    });
  }
  ~Canned() { thread_.join(); }

 private:
  UniqueFd socket_;
  std::thread thread_;
};

TEST(HttpClient, SendsHeadersAndReadsStatusAndBody) {
  const RunningServer server([](const Request& request) {
    return Response{.status = 404,
                    .content_type = "text/plain",
                    .body = request.headers.at("x-test") + request.path,
                    .headers = {{"X-Reply", "yes"}}};
  });
  const auto response = call(server.path, get("/thing"), 5s);
  ASSERT_TRUE(response) << response.error().text;
  EXPECT_EQ(response->status, 404);
  EXPECT_EQ(response->content_type, "text/plain");
  EXPECT_EQ(response->body, "1/thing");
  EXPECT_EQ(response->headers.at("x-reply"), "yes");
}

TEST(HttpClient, ReadsALargeAnswer) {
  const RunningServer server([](const Request&) {
    return Response{.status = 200,
                    .content_type = "text/plain",
                    .body = std::string(5 << 20, 'y'),
                    .headers = {}};
  });
  const auto response = call(server.path, get("/"), 5s);
  ASSERT_TRUE(response) << response.error().text;
  EXPECT_EQ(response->body.size(), std::size_t{5} << 20);
}

TEST(HttpClient, ReadsChunksAndBodiesThatEndWithTheConnection) {
  const TemporaryFolder folder;
  {
    const Canned server(
        folder / "chunks",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n");
    EXPECT_EQ(call(folder / "chunks", get("/"), 5s).value_or(Response{}).body, "abcde");
  }
  const Canned server(folder / "end", "HTTP/1.0 200 OK\r\n\r\nuntil the end");
  EXPECT_EQ(call(folder / "end", get("/"), 5s).value_or(Response{}).body, "until the end");
}

TEST(HttpClient, SaysWhyItFailed) {
  const TemporaryFolder folder;
  EXPECT_EQ(call(folder / "none", get("/"), 1s).error().code, Code::kNotFound);
  { const auto gone = listen_unix(folder / "gone", 0600, ""); }
  EXPECT_EQ(call(folder / "gone", get("/"), 1s).error().code, Code::kUnavailable);
  const auto silent = listen_unix(folder / "silent", 0600, "");
  EXPECT_EQ(call(folder / "silent", get("/"), 100ms).error().code, Code::kUnavailable);
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
