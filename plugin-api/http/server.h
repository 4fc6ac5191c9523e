// An HTTP/1.1 server on Unix sockets. Boost.Asio is used in server and session, Boost.Beast only in
// request_reader.cpp.
#pragma once

#include <array>
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
  // After stop(), for the requests that are being handled. The others are answered 503 then.
  std::chrono::milliseconds stop_time{3500};

  // Each listening socket has all of the following for itself. A peer is a user, and every process
  // of root's: it can take its share and no more, so that it never shuts out another peer.
  std::size_t connections = 1024;
  std::size_t peer_connections = 512;
  std::size_t streams = 128;  // responses without an end
  std::size_t peer_streams = 32;
  std::size_t bodies_bytes = 64 << 20;  // of all requests together that are in memory
  std::size_t peer_bodies_bytes = 16 << 20;
  std::array<unsigned, kWorkClasses> workers{12, 8, 32, 8};  // a peer takes three quarters
};

struct Listener {
  UniqueFd socket;   // listening
  std::string path;  // unlinked at shutdown; empty for socket activation
  Handler handler;
  Classify classify{};  // without it everything is Work::kNetwork
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

// One thread accepts, reads and writes; `Limits::workers` threads for each socket and class of work
// run the handlers. Each response is sent in one write. Beyond a limit of a request the response is
// 413, 431 or 408 and the connection is closed; malformed HTTP gets a 400.
//
// Connections never wait in the backlog. One too many takes the place of the connection that has
// been idle longest: of its own peer's when that peer has its share, else of the peer's that has
// most. Where none is idle it is answered 503, as is a body for which there is no room.
class Server {
 public:
  virtual ~Server() = default;
  // returns after stop(); requests in progress are answered first (at most `stop_time`). False when
  // some were given up.
  virtual bool run() = 0;
  virtual void stop() = 0;  // from any thread or a signal handler's thread
};
Result<std::unique_ptr<Server>> make_server(std::vector<Listener> listeners, Limits limits);

}  // namespace fairlead::http
