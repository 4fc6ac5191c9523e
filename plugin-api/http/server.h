// An HTTP/1.1 server on Unix sockets (Boost.Beast, the only place that includes it).
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
  std::chrono::seconds header_time{10};  // from the first byte of a request to its end
  std::chrono::seconds idle_time{90};    // of a kept-alive connection
  std::size_t connections = 512;         // more wait in the backlog
  unsigned workers = 8;
};

struct Listener {
  UniqueFd socket;   // listening
  std::string path;  // unlinked at shutdown, unless empty (socket activation)
  Handler handler;
};

// Makes a listening Unix socket at `path` with these permissions: creates missing folders (0755),
// replaces a stale socket that nobody listens on, refuses one that is served (kInUse). `group` may
// be empty.
Result<UniqueFd> listen_unix(const std::string& path, unsigned mode, const std::string& group);

// The same permissions for a socket that somebody else made at `path`.
Status give_access(const std::string& path, unsigned mode, const std::string& group);

// The sockets that systemd passed (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES; sd_listen_fds(3)), with
// their paths.
struct PassedSocket {
  UniqueFd socket;
  std::string path;  // as bound
};
std::vector<PassedSocket> passed_sockets();

// One thread accepts, reads and writes; `Limits::workers` threads run the handlers. Answers each
// request in one write. Over a limit: 413, 431 or 408 and the connection is closed; malformed HTTP:
// 400.
class Server {
 public:
  virtual ~Server() = default;
  virtual void run() = 0;   // until stop(); requests under way are answered first (at most 10 s)
  virtual void stop() = 0;  // from any thread or a signal handler's thread
};
Result<std::unique_ptr<Server>> make_server(std::vector<Listener> listeners, Limits limits);

}  // namespace fairlead::http
