// Connections to Unix sockets.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <cstring>

#include "base/http_client/connection.h"
#include "base/unique_fd.h"

namespace fairlead::http_client {

namespace {

using local = asio::local::stream_protocol;

class UnixConnection : public StreamConnection<PlainStream<local>> {
 public:
  explicit UnixConnection(UniqueFd socket) { plain().socket().assign(local(), socket.release()); }
};

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return fail(Code::kInvalid, "{}: the socket's path is too long", path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Error why_not(int number, const std::string& path) {
  if (number == ENOENT || number == ENOTDIR || number == ECONNREFUSED)
    return {Code::kUnavailable, number, fmt::format("nobody listens at {}", path)};
  return sys_error(number, fmt::format("connect to {}", path));
}

// By hand: Asio takes the EAGAIN of a full backlog for a connection that is being made.
Result<UniqueFd> connect_to(const std::string& path, Deadline deadline) {
  TRY(const auto address, address_of(path));
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno(errno, "open a Unix socket");
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  while (::connect(socket.get(), generic, sizeof(address)) != 0) {
    if (errno != EAGAIN && errno != EINTR) return fail(why_not(errno, path));
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(Code::kUnavailable, "{}: no answer in time: its backlog is full", path);
    ::poll(nullptr, 0, 5);  // poll(2) does not report when the backlog has room again
  }
  return socket;
}

}  // namespace

Server unix_server(const std::string& path) {
  return {"localhost", [path](Deadline deadline) -> Result<std::unique_ptr<Connection>> {
            TRY(auto socket, connect_to(path, deadline));
            return std::make_unique<UnixConnection>(std::move(socket));
          }};
}

bool Connection::is_quiet() {
  if (buffer_.size() > 0) return false;
  pollfd entry{.fd = native_handle(), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) == 0;
}

}  // namespace fairlead::http_client
