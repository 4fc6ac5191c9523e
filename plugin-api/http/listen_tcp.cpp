#include "plugin-api/http/listen_tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>

namespace fairlead::http {

namespace {

constexpr int kBacklog = 128;

struct Option {
  int level, name;
};

Status set(int fd, std::initializer_list<Option> options) {
  const int on = 1;
  for (const Option& option : options)
    if (::setsockopt(fd, option.level, option.name, &on, sizeof(on)) != 0)
      return fail_errno(errno, "set an option of a TCP socket");
  return {};
}

int bind_v4(int fd, const IpPort& place) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(place.port);
  std::ranges::copy(place.address.bytes(), reinterpret_cast<std::uint8_t*>(&address.sin_addr));
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

int bind_v6(int fd, const IpPort& place) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(place.port);
  std::ranges::copy(place.address.bytes(), address.sin6_addr.s6_addr);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

}  // namespace

Result<UniqueFd> listen_tcp(const IpPort& place) {
  const bool v4 = place.address.is_v4();
  UniqueFd socket(::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno(errno, "open a TCP socket");
  TRY_STATUS(set(socket.get(), {{SOL_SOCKET, SO_REUSEADDR}, {IPPROTO_TCP, TCP_NODELAY}}));
  if (!v4) TRY_STATUS(set(socket.get(), {{IPPROTO_IPV6, IPV6_V6ONLY}}));
  const int bound = v4 ? bind_v4(socket.get(), place) : bind_v6(socket.get(), place);
  if (bound == 0 && ::listen(socket.get(), kBacklog) == 0) return socket;
  if (errno == EADDRINUSE)
    return fail(Code::kInUse,
                "listen on {}: another process has this port; stop it or choose another port",
                place.to_string());
  return fail_errno(errno, fmt::format("listen on {}", place.to_string()));
}

}  // namespace fairlead::http
