#include "network/kernel/host/bound_sockets.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace fairlead::kernel {

namespace {

constexpr int kBacklog = 1024;  // of connections that come at once; net.core.somaxconn may be less

bool is_v4(const SocketName& name) { return name.bytes.sin6_family == AF_INET; }

sockaddr_in as_v4(const SocketName& name) {
  sockaddr_in address{};
  std::memcpy(&address, &name.bytes, sizeof(address));
  return address;
}

std::string text_of(const SocketName& name) {
  return fmt::format("{} port {}", name.address().to_string(), name.port());
}

Result<UniqueFd> open_socket(const SocketName& name, int type) {
  const int family = is_v4(name) ? AF_INET : AF_INET6;
  UniqueFd fd(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "open a socket for " + text_of(name));
  return fd;
}

void turn_on(const UniqueFd& fd, int level, int option) {
  const int on = 1;
  (void)::setsockopt(fd.get(), level, option, &on, sizeof(on));
}

// Beyond the host's limit where this process may.
void set_receive_buffer(const UniqueFd& fd, int bytes) {
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

// The last 32 bits of the source address, divided by `count`: the rest is the socket's place in its group (net/core/
// sock_reuseport.c). Without it the kernel chooses by both ends' addresses and ports.
void choose_by_sender(const UniqueFd& fd, const SocketName& name, std::uint32_t count) {
  constexpr std::uint32_t kNetworkHeader = static_cast<std::uint32_t>(SKF_NET_OFF);
  const std::uint32_t source = is_v4(name) ? 12 : 20;
  std::array<sock_filter, 3> code{{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNetworkHeader + source),
                                   BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
                                   BPF_STMT(BPF_RET | BPF_A, 0)}};
  const sock_fprog program{.len = code.size(), .filter = code.data()};
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
}

Status bind_to(const UniqueFd& fd, const SocketName& name) {
  if (!is_v4(name)) turn_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  if (::bind(fd.get(), name.get(), name.size) != 0)
    return fail_errno(errno, "bind " + text_of(name));
  return {};
}

}  // namespace

SocketName SocketName::of(const IpAddress& address, std::uint16_t port, std::uint32_t scope) {
  SocketName name;
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes().data(), address.bytes().size());
    std::memcpy(&name.bytes, &v4, sizeof(v4));
    name.size = sizeof(v4);
    return name;
  }
  name.bytes.sin6_family = AF_INET6;
  name.bytes.sin6_port = htons(port);
  name.bytes.sin6_scope_id = scope;
  std::memcpy(&name.bytes.sin6_addr, address.bytes().data(), address.bytes().size());
  name.size = sizeof(name.bytes);
  return name;
}

IpAddress SocketName::address() const {
  const auto* v6 = reinterpret_cast<const std::uint8_t*>(&bytes.sin6_addr);
  if (!is_v4(*this)) return IpAddress::from_bytes(Family::kV6, {v6, 16});
  const sockaddr_in v4 = as_v4(*this);
  return IpAddress::from_bytes(Family::kV4,
                               {reinterpret_cast<const std::uint8_t*>(&v4.sin_addr), 4});
}

std::uint16_t SocketName::port() const {
  return ntohs(is_v4(*this) ? as_v4(*this).sin_port : bytes.sin6_port);
}

std::uint32_t SocketName::scope() const { return is_v4(*this) ? 0 : bytes.sin6_scope_id; }

bool is_link_local(const IpAddress& address) {
  return !address.is_v4() && address.bytes()[0] == 0xfe && (address.bytes()[1] & 0xc0) == 0x80;
}

Result<UniqueFd> bind_datagram(const SocketName& name, int receive_buffer) {
  TRY(UniqueFd fd, open_socket(name, SOCK_DGRAM));
  set_receive_buffer(fd, receive_buffer);
  TRY_STATUS(bind_to(fd, name));
  return fd;
}

Result<std::vector<UniqueFd>> bind_datagram_group(const SocketName& name, std::size_t count,
                                                  int receive_buffer) {
  std::vector<UniqueFd> group;
  while (group.size() < count) {
    TRY(UniqueFd fd, open_socket(name, SOCK_DGRAM));
    turn_on(fd, SOL_SOCKET, SO_REUSEPORT);
    set_receive_buffer(fd, receive_buffer);
    TRY_STATUS(bind_to(fd, name));
    if (group.empty()) choose_by_sender(fd, name, static_cast<std::uint32_t>(count));
    group.push_back(std::move(fd));
  }
  return group;
}

Result<UniqueFd> bind_stream(const SocketName& name) {
  TRY(UniqueFd fd, open_socket(name, SOCK_STREAM));
  turn_on(fd, SOL_SOCKET, SO_REUSEADDR);
  TRY_STATUS(bind_to(fd, name));
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno(errno, "listen on " + text_of(name));
  return fd;
}

Result<SocketName> bound_name(int socket_fd) {
  SocketName name;
  name.size = sizeof(name.bytes);
  if (::getsockname(socket_fd, name.get(), &name.size) != 0)
    return fail_errno(errno, "ask where a socket is bound");
  return name;
}

Result<UniqueFd> connect_datagram(const SocketName& server) {
  TRY(UniqueFd fd, open_socket(server, SOCK_DGRAM));
  if (::connect(fd.get(), server.get(), server.size) != 0)
    return fail_errno(errno, "reach " + text_of(server));
  return fd;
}

Result<UniqueFd> connect_stream(const SocketName& server) {
  TRY(UniqueFd fd, open_socket(server, SOCK_STREAM));
  turn_on(fd, IPPROTO_TCP, TCP_NODELAY);
  if (::connect(fd.get(), server.get(), server.size) != 0 && errno != EINPROGRESS)
    return fail_errno(errno, "reach " + text_of(server));
  return fd;
}

}  // namespace fairlead::kernel
