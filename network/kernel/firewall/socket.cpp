#include "network/kernel/firewall/socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace fairlead::kernel {

namespace {

// The most that the kernel sends at once, and what most answers take together.
constexpr std::size_t kReceiveRoom = 64 << 10;
constexpr std::size_t kUsualAnswer = 16 << 10;
constexpr int kReceiveQueue = 4 << 20;

void set_option(int fd, int option) {
  const int on = 1;
  // An older kernel without the option only answers with less detail.
  ::setsockopt(fd, SOL_NETLINK, option, &on, sizeof(on));
}

// The forced options need CAP_NET_ADMIN in the initial user namespace; the others are limited by
// net.core.{r,w}mem_max.
void set_buffer(int fd, int forced, int option, int size) {
  if (::setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) != 0)
    ::setsockopt(fd, SOL_SOCKET, option, &size, sizeof(size));
}

}  // namespace

Result<NetfilterSocket> NetfilterSocket::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd) return fail_errno(errno, "open a netfilter socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno(errno, "bind a netfilter socket");
  set_option(fd.get(), NETLINK_CAP_ACK);
  set_buffer(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, kReceiveQueue);
  return NetfilterSocket(std::move(fd));
}

Status NetfilterSocket::send(std::span<const std::uint8_t> bytes) {
  if (bytes.size() > send_room_) {
    send_room_ = std::max<std::size_t>(bytes.size() * 2, 128 << 10);
    set_buffer(fd_.get(), SO_SNDBUFFORCE, SO_SNDBUF, static_cast<int>(send_room_));
  }
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const ssize_t sent = ::sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                                reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel));
  if (sent < 0) return fail_errno(errno, fmt::format("send {} bytes to netfilter", bytes.size()));
  return {};
}

// Room for one more datagram behind what is there. It is not filled with zeros: a program that makes
// one call would spend most of its time in this file with that.
void NetfilterSocket::make_room(std::size_t offset) {
  if (room_ >= offset + kReceiveRoom) return;
  room_ = 2 * offset + kReceiveRoom + kUsualAnswer;
  auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(room_);
  std::copy_n(buffer_.get(), offset, larger.get());
  buffer_ = std::move(larger);
}

// Appends one datagram to the buffer at `offset` and returns its size; 0 when there is none.
Result<std::size_t> NetfilterSocket::receive_some(std::size_t offset) {
  make_room(offset);
  ssize_t got = -1;
  do {
    got = ::recv(fd_.get(), buffer_.get() + offset, kReceiveRoom, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return std::size_t{0};
  if (got < 0) return fail_errno(errno, "receive an answer of netfilter");
  return static_cast<std::size_t>(got);
}

Result<Answers> NetfilterSocket::receive() {
  std::size_t filled = 0;
  while (true) {
    TRY(const std::size_t got, receive_some(filled));
    if (got == 0) break;
    filled += got;  // netlink datagrams are multiples of 4 bytes long
  }
  return parse_answers({buffer_.get(), filled});
}

Status NetfilterSocket::dump(
    std::span<const std::uint8_t> request, std::uint32_t seq,
    const std::function<Status(std::span<const std::uint8_t>)>& on_message) {
  TRY_STATUS(send(request));
  bool interrupted = false;
  while (true) {
    TRY(const std::size_t got, receive_some(0));
    if (got == 0) return fail(Code::kIo, "receive an answer of netfilter: the dump has no end");
    TRY(const Answers answers, parse_answers({buffer_.get(), got}));
    interrupted |= answers.interrupted;
    for (const Reply& reply : answers.replies)
      if (reply.seq == seq && reply.error != 0) return fail_errno(reply.error, "ask netfilter");
    for (const auto message : answers.messages) TRY_STATUS(on_message(message));
    if (answers.done) break;
  }
  if (interrupted) return fail(Code::kUnavailable, "ask netfilter: the objects changed meanwhile");
  return {};
}

Result<std::shared_ptr<SharedNetfilterSocket>> open_shared_netfilter_socket() {
  TRY(NetfilterSocket socket, NetfilterSocket::open());
  return std::make_shared<SharedNetfilterSocket>(std::move(socket));
}

}  // namespace fairlead::kernel
