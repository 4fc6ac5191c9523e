// An HTTP/1.1 server on Unix sockets. Boost.Asio is used in server and session, Boost.Beast only in
// request_reader.cpp.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "plugin-api/http/message.h"

namespace fairlead::http {

struct Limits {
  std::size_t header_bytes = 16 << 10;
  std::size_t body_bytes = 2 << 20;
  std::chrono::seconds header_time{10};  // from the first byte of a request to its last
  std::chrono::seconds idle_time{90};    // of a kept-alive connection
  std::size_t connections = 512;         // more wait in the backlog
  unsigned workers = 8;
};

struct Listener {
  UniqueFd socket;   // listening
  std::string path;  // unlinked at shutdown; empty for socket activation
  Handler handler;
};

// Creates a listening Unix socket at `path` with these permissions. Creates missing folders (0755),
// replaces a stale socket on which nobody listens, and refuses one that is in use (kInUse). `group`
// may be empty.
Result<UniqueFd> listen_unix(const std::string& path, unsigned mode, const std::string& group);

// Sets the same permissions on a socket that somebody else created at `path`.
Status give_access(const std::string& path, unsigned mode, const std::string& group);

// The sockets that systemd passed (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES; sd_listen_fds(3)), with
// their paths.
struct PassedSocket {
  UniqueFd socket;
  std::string path;  // as bound
};
std::vector<PassedSocket> passed_sockets();

// One thread accepts, reads and writes; `Limits::workers` threads run the handlers. Each response
// is sent in one write. Beyond a limit the response is 413, 431 or 408 and the connection is
// closed; malformed HTTP gets a 400.
class Server {
 public:
  virtual ~Server() = default;
  // returns after stop(); requests in progress are answered first (at most 10 s)
  virtual void run() = 0;
  virtual void stop() = 0;  // from any thread or a signal handler's thread
};
Result<std::unique_ptr<Server>> make_server(std::vector<Listener> listeners, Limits limits);

}  // namespace fairlead::http
