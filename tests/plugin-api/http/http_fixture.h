// A server on a socket of its own, and clients that speak raw bytes to it.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/http_client/http_client.h"
#include "base/unique_fd.h"
#include "plugin-api/http/server.h"

namespace fairlead::http::testing {

using namespace std::chrono_literals;

// A folder of the test's own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    char pattern[] = "/tmp/fairlead-http-XXXXXX";
    path_ = ::mkdtemp(pattern);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// A client that says exactly what it is told.
class RawClient {
 public:
  explicit RawClient(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected_ =
        ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool connected() const { return connected_; }
  int fd() const { return socket_.get(); }

  // False when the server no longer listens.
  bool say(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void end() { ::shutdown(socket_.get(), SHUT_WR); }

  // What one read gives; empty at the end of the stream, nothing when the time is up.
  std::optional<std::string> hear_once(std::chrono::milliseconds most_wait = 5s) {
    pollfd entry{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, static_cast<int>(most_wait.count())) <= 0) return std::nullopt;
    std::string buffer(1 << 20, '\0');
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    buffer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return buffer;
  }

  // Reads nothing; false when the server has not closed the connection in time.
  bool await_close(std::chrono::milliseconds most_wait = 30s) {
    pollfd entry{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0};
    return ::poll(&entry, 1, static_cast<int>(most_wait.count())) == 1;
  }

  // Everything until the server closes the connection; fails the test when it does not.
  std::string hear_all(std::chrono::milliseconds most_wait = 10s) {
    std::string all;
    while (true) {
      const auto part = hear_once(most_wait);
      if (!part) {
        ADD_FAILURE() << "the server kept the connection open after: " << all;
        return all;
      }
      if (part->empty()) return all;
      all += *part;
    }
  }

 private:
  UniqueFd socket_;
  bool connected_ = false;
};

// One request by the client of base.
inline Result<http_client::Response> call(const std::string& path,
                                          const http_client::Request& request,
                                          std::chrono::milliseconds deadline) {
  return http_client::Client(http_client::unix_server(path)).call(request, deadline);
}

inline std::string post(std::string_view path, std::string_view body,
                        std::string_view headers = "") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{}\r\n{}", path,
                     body.size(), headers, body);
}

class RunningServer {
 public:
  explicit RunningServer(Handler handler, Limits limits = {}, Classify classify = {})
      : path(folder_ / "api.sock") {
    std::vector<Listener> listeners;
    auto socket = listen_unix(path, 0600, "");
    EXPECT_TRUE(socket) << socket.error().text;
    listeners.push_back({.socket = *std::move(socket),
                         .path = path,
                         .handler = std::move(handler),
                         .classify = std::move(classify)});
    auto made = make_server(std::move(listeners), limits);
    EXPECT_TRUE(made);
    server = *std::move(made);
    thread_ = std::thread([this] { server->run(); });
  }
  ~RunningServer() { stop(); }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  void stop() {
    if (server) server->stop();
    wait();
  }
  void wait() {
    if (thread_.joinable()) thread_.join();
  }
  RawClient client() const { return RawClient(path); }

 private:
  TemporaryFolder folder_;

 public:
  const std::string path;
  std::unique_ptr<Server> server;

 private:
  std::thread thread_;
};

// Answers with the method, the path and the body that it was sent.
inline Response echo(const Request& request) {
  return {.status = 200,
          .content_type = "text/plain",
          .body = request.method + " " + request.path + " " + request.body,
          .headers = {}};
}

}  // namespace fairlead::http::testing
