// A small synchronous HTTP/1.1 client, over TCP and TLS (a store on other hosts: etcd) and over
// Unix sockets (fairleadd). Every call has a deadline. (The server is in plugin-api/http.)
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace fairlead::http_client {

struct ServerAddress {
  enum class Scheme { kHttp, kHttps };
  Scheme scheme = Scheme::kHttp;
  std::string host;  // a name or an address; an IPv6 address without brackets
  std::string port;  // 1 to 65535

  // "http://host:port" or "https://host:port"; a path of "/" may follow. kInvalid otherwise.
  static Result<ServerAddress> parse(std::string_view url);
  std::string text() const;  // what parse reads

  bool operator==(const ServerAddress&) const = default;
};

// Paths of PEM files. They are read anew for each connection, so that renewed files are used
// without a restart. An empty `ca` means the certificates of the system; empty `certificate` and
// `key` mean that the client shows none.
struct TlsFiles {
  std::string ca;
  std::string certificate;
  std::string key;

  bool operator==(const TlsFiles&) const = default;
};

struct Request {
  std::string path;  // "/v3/kv/range", sent unchanged, so it may carry a query
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // JSON
  std::string method = "POST";
};

struct Response {
  int status = 0;
  std::string body;
  std::map<std::string, std::string> headers;  // names in lower case
};

class Connection;
using Deadline = std::chrono::steady_clock::time_point;

// A server, and how a connection to it is made.
struct Server {
  std::string host;  // of the header Host
  std::function<Result<std::unique_ptr<Connection>>(Deadline)> connect;
};
// In the library fairlead_https_client, which brings OpenSSL along.
Server tcp_server(const ServerAddress& address, const TlsFiles& tls);
// A Unix socket. While its backlog is full, a call waits for a place in it.
Server unix_server(const std::string& path);

// Sends requests to one server, over connections that are kept open between requests. Thread-safe:
// concurrent calls use a connection each. A kept connection that the server has closed meanwhile is
// noticed before it is used.
//
// Errors: kUnavailable when no connection was made (nothing was sent); kIo when the connection
// broke or the deadline passed after that (the server may have acted); kExhausted when the response
// is longer than `most_answer`; kInvalid for certificates that cannot be read. Of a Unix socket
// also the code of the errno when this process may not use it.
class Client {
 public:
  static constexpr std::size_t kMostAnswer = 64U << 20;

  explicit Client(Server server, std::size_t most_answer = kMostAnswer);
  ~Client();

  // Returns the response, whatever its status. A server that refuses a request may answer and close
  // before it has read all of it; that response is returned, too.
  Result<Response> call(const Request& request,
                        std::chrono::milliseconds timeout = std::chrono::seconds(1));
  const Server& server() const { return server_; }

 private:
  std::unique_ptr<Connection> take_idle();
  void keep(std::unique_ptr<Connection> connection);

  Server server_;
  std::size_t most_answer_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

// A response without an end, read line by line. One thread reads; a stop request from any thread
// ends a read that is waiting.
class LineStream {
 public:
  static constexpr std::size_t kMostLine = 256U << 20;

  // Sends the request and waits at most `timeout` for the head of the response. The errors are
  // those of Client::call. A response with another status than 200 is a stream too: its first line
  // is the body.
  static Result<std::unique_ptr<LineStream>> open(const Server& server, const Request& request,
                                                  std::chrono::milliseconds timeout,
                                                  std::stop_token stop,
                                                  std::size_t most_line = kMostLine);
  ~LineStream();

  int status() const;
  // The next line without its line end; bytes after the last line end count as a line. std::nullopt
  // when the server ended the response or a stop was requested. kIo when the connection broke or no
  // bytes came for `silence`; kExhausted when a line is longer than `most_line`. After an error or
  // the end the stream must not be read again.
  Result<std::optional<std::string>> next_line(std::chrono::milliseconds silence);

 private:
  class Reader;
  explicit LineStream(std::unique_ptr<Reader> reader);

  std::unique_ptr<Reader> reader_;
};

}  // namespace fairlead::http_client
