// HTTP requests and responses as plain values, so that adapters and their tests need no HTTP
// library.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace fairlead::http {

// The process at the other end of the Unix socket (SO_PEERCRED).
struct Peer {
  int pid = 0;
  unsigned uid = 0, gid = 0;
};

struct Request {
  std::string method;                          // "POST"
  std::string path;                            // the target up to '?' as sent, not decoded
  std::map<std::string, std::string> query;    // percent-decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  Peer peer;
  // Whether the client has closed the connection, so that nobody will read the response. May be
  // called from any thread while the request is handled.
  std::function<bool()> hung_up = [] { return false; };
};

// A body that comes bit by bit, for as long as there is something to tell. It is sent in chunks,
// without a thread of its own: the server asks for the next part when the connection has taken the
// last one. All methods but on_ready's callback are called from the server's I/O thread and must
// not block. It is destroyed when the connection is closed, by whichever side.
class BodyStream {
 public:
  struct Part {
    std::string bytes;  // empty: nothing yet; ready() will be called
    bool last = false;  // the body ends after it
  };

  virtual ~BodyStream() = default;
  // Called once, before pull(). `ready` may be called from any thread until the destructor has
  // returned, whenever there may be something new to pull.
  virtual void on_ready(std::function<void()> ready) = 0;
  virtual Part pull() = 0;
  // Called after each `kStreamHeartbeat` without bytes: pull() then returns something that shows
  // that the connection lives.
  virtual void heartbeat() = 0;
  // The server stops: pull() then returns the end.
  virtual void stop() = 0;
};
inline constexpr std::chrono::seconds kStreamHeartbeat{5};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::map<std::string, std::string> headers;
  std::shared_ptr<BodyStream> stream{};  // instead of `body`; the connection is closed after it
};

// What a request may have to wait for. Each class of work has workers of its own, so that slow
// requests of one class never delay those of another.
enum class Work {
  kNetwork,  // networks and endpoints, and whatever waits for nothing
  kVolume,   // what is known about volumes
  kWaiting,  // mounts, and volumes that are made or removed: a server somewhere may have to answer
  kLong,     // reads, copies or checks whole volumes
};
inline constexpr std::size_t kWorkClasses = 4;

// Called on the I/O thread for each request: looks at its method and path, and must not block.
using Classify = std::function<Work(const Request&)>;

// Called on a worker thread, many at a time. Should not throw; an exception becomes a 500 and a log
// line.
using Handler = std::function<Response(const Request&)>;

}  // namespace fairlead::http
