// HTTP requests and responses as plain values, so that adapters and their tests need no HTTP
// library.
#pragma once

#include <functional>
#include <map>
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

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::map<std::string, std::string> headers;
};

// Called on a worker thread, many at a time. Should not throw; an exception becomes a 500 and a log
// line.
using Handler = std::function<Response(const Request&)>;

}  // namespace fairlead::http
