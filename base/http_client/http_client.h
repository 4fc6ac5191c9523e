// A small synchronous HTTP/1.1 client over TCP and TLS, for the store that lives on other hosts.
// Every call has a deadline. (The protocols of runtimes are served and asked over Unix sockets by
// plugin-api/http.)
#pragma once

#include <chrono>
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

// Paths of PEM files, read anew for each connection, so that renewed ones are used without a
// restart. Empty: `ca` those of the system, `certificate` and `key` none.
struct TlsFiles {
  std::string ca;
  std::string certificate;
  std::string key;

  bool operator==(const TlsFiles&) const = default;
};

struct Request {
  std::string path;  // "/v3/kv/range"
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // JSON
};

struct Response {
  int status = 0;
  std::string body;
};

class Connection;

// Sends requests to one server, over connections that are kept open between them. Thread-safe:
// calls at the same time have a connection each. A kept connection that the server closed meanwhile
// is noticed before it is used.
//
// Errors: kUnavailable when no connection was made (nothing was sent); kIo when the connection
// broke or the time was over after that (the server may have acted); kExhausted when the response is
// longer than `most_answer`; kInvalid for certificates that cannot be read.
class Client {
 public:
  static constexpr std::size_t kMostAnswer = 64U << 20;

  Client(ServerAddress endpoint, TlsFiles tls, std::size_t most_answer = kMostAnswer);
  ~Client();

  Result<Response> post(const Request& request,
                        std::chrono::milliseconds timeout = std::chrono::seconds(1));
  const ServerAddress& endpoint() const { return endpoint_; }

 private:
  std::unique_ptr<Connection> take_idle();
  void keep(std::unique_ptr<Connection> connection);

  ServerAddress endpoint_;
  TlsFiles tls_;
  std::size_t most_answer_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

// An response without an end, read line by line. One thread reads; a stop request from any thread
// ends a read that waits.
class LineStream {
 public:
  static constexpr std::size_t kMostLine = 256U << 20;

  // Sends the request and waits for the head of the response, at most `timeout`. Errors as
  // Client::post; an response other than 200 is a stream too: its body is the first line.
  static Result<std::unique_ptr<LineStream>> open(const ServerAddress& endpoint,
                                                  const TlsFiles& tls, const Request& request,
                                                  std::chrono::milliseconds timeout,
                                                  std::stop_token stop);
  ~LineStream();

  int status() const;
  // The next line without its end; what stands behind the last line end counts as a line. Nothing:
  // the server ended the response, or a stop was asked for. kIo: the connection broke or there were
  // no bytes for `silence`; kExhausted: a line is longer than `kMostLine`. After an error or the
  // end the stream is over.
  Result<std::optional<std::string>> next_line(std::chrono::milliseconds silence);

 private:
  class Reader;
  explicit LineStream(std::unique_ptr<Reader> reader);

  std::unique_ptr<Reader> reader_;
};

}  // namespace fairlead::http_client
