#include "network/kernel/host/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <random>

#include "network/kernel/host/bound_sockets.h"
#include "network/kernel/host/netns.h"

namespace fairlead::kernel {

namespace {

int domain_of(Family family) { return family == Family::kV4 ? AF_INET : AF_INET6; }

Result<UniqueFd> open_socket(Probe::Kind kind, Family family) {
  int type = SOCK_STREAM, protocol = 0;
  if (kind == Probe::Kind::kUdp) type = SOCK_DGRAM;
  if (kind == Probe::Kind::kPing) {
    type = SOCK_RAW;
    protocol = family == Family::kV4 ? static_cast<int>(IPPROTO_ICMP) : IPPROTO_ICMPV6;
  }
  UniqueFd socket(::socket(domain_of(family), type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!socket) return fail_errno(errno, "open a socket to send a packet");
  return socket;
}

std::uint16_t random_number() {
  std::random_device device;
  return static_cast<std::uint16_t>(device() % 0xfffe + 1);
}

// RFC 792 and RFC 4443 section 4.1 have the same form.
std::array<std::uint8_t, 8> echo_request(Family family, std::uint16_t id) {
  std::array<std::uint8_t, 8> message{};
  message[0] = family == Family::kV4 ? 8 : 128;
  message[4] = static_cast<std::uint8_t>(id >> 8);
  message[5] = static_cast<std::uint8_t>(id & 0xff);
  message[7] = 1;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < message.size(); i += 2)
    sum += static_cast<std::uint32_t>(message[i] << 8 | message[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  const auto checksum = static_cast<std::uint16_t>(~sum);
  if (family == Family::kV6) return message;  // the kernel makes it
  message[2] = static_cast<std::uint8_t>(checksum >> 8);
  message[3] = static_cast<std::uint8_t>(checksum & 0xff);
  return message;
}

}  // namespace

Result<Probe> Probe::open(int netns_fd, Kind kind, Family family) {
  UniqueFd socket;
  const auto make = [&]() -> Status {
    TRY(socket, open_socket(kind, family));
    return {};
  };
  TRY_STATUS(netns_fd < 0 ? make() : in_netns(netns_fd, make));
  Probe probe(std::move(socket), kind, family);
  if (kind == Kind::kPing) {
    probe.sender_ = random_number();
    return probe;
  }
  TRY_STATUS(probe.bind_any());
  return probe;
}

// A port of its own is known before anything is sent.
Status Probe::bind_any() {
  const SocketName any = SocketName::of(IpAddress::any(family_), 0);
  if (::bind(fd(), any.get(), any.size) != 0) return fail_errno(errno, "bind a socket");
  TRY(const SocketName name, bound_name(fd()));
  sender_ = name.port();
  return {};
}

Status Probe::send(const IpAddress& to, std::uint16_t port) {
  const SocketName name = SocketName::of(to, kind_ == Kind::kPing ? 0 : port);
  if (kind_ == Kind::kPing) {
    const auto message = echo_request(family_, sender_);
    if (::sendto(fd(), message.data(), message.size(), 0, name.get(), name.size) < 0)
      return fail_errno(errno, "send an echo request");
    return {};
  }
  if (::connect(fd(), name.get(), name.size) != 0 && errno != EINPROGRESS)
    return fail_errno(errno, kind_ == Kind::kTcp ? "connect" : "send a datagram");
  if (kind_ == Kind::kUdp && ::send(fd(), "?", 1, 0) < 0)
    return fail_errno(errno, "send a datagram");
  return {};
}

std::optional<Probe::Outcome> Probe::outcome() {
  return kind_ == Kind::kTcp ? connected() : received();
}

std::optional<Probe::Outcome> Probe::connected() {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) return Outcome{true, "connected"};
  return Outcome{false, std::strerror(error)};
}

std::optional<Probe::Outcome> Probe::received() {
  std::array<std::uint8_t, 2048> bytes{};
  const ssize_t size = ::recv(fd(), bytes.data(), bytes.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
  if (size < 0) return Outcome{false, std::strerror(errno)};
  if (kind_ == Kind::kUdp) return Outcome{true, "a datagram"};
  // Of IPv4 the IP header comes first.
  const std::size_t start = family_ == Family::kV4 ? (bytes[0] & 0xfU) * 4U : 0U;
  if (static_cast<std::size_t>(size) < start + 8) return std::nullopt;
  const auto id = static_cast<std::uint16_t>(bytes[start + 4] << 8 | bytes[start + 5]);
  const bool reply = bytes[start] == (family_ == Family::kV4 ? 0 : 129);
  if (!reply || id != sender_) return std::nullopt;
  return Outcome{true, "an echo reply"};
}

}  // namespace fairlead::kernel
