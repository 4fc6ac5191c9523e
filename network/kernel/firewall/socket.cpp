#include "network/kernel/firewall/socket.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace fairlead::kernel {

namespace {

constexpr std::size_t kReceiveRoom = 64 << 10;
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

// Appends one datagram to the buffer at `offset` and returns its size; 0 when there is none.
Result<std::size_t> NetfilterSocket::receive_some(std::size_t offset) {
  buffer_.resize(offset + kReceiveRoom);
  ssize_t got = -1;
  do {
    got = ::recv(fd_.get(), buffer_.data() + offset, kReceiveRoom, MSG_DONTWAIT);
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
  return parse_answers({buffer_.data(), filled});
}

Status NetfilterSocket::dump(
    std::span<const std::uint8_t> request, std::uint32_t seq,
    const std::function<Status(std::span<const std::uint8_t>)>& on_message) {
  TRY_STATUS(send(request));
  bool interrupted = false;
  while (true) {
    TRY(const std::size_t got, receive_some(0));
    if (got == 0) return fail(Code::kIo, "receive an answer of netfilter: the dump has no end");
    TRY(const Answers answers, parse_answers({buffer_.data(), got}));
    interrupted |= answers.interrupted;
    for (const Reply& reply : answers.replies)
      if (reply.seq == seq && reply.error != 0) return fail_errno(reply.error, "ask netfilter");
    for (const auto message : answers.messages) TRY_STATUS(on_message(message));
    if (answers.done) break;
  }
  if (interrupted) return fail(Code::kUnavailable, "ask netfilter: the objects changed meanwhile");
  return {};
}

// ---- closing without waiting

namespace {

constexpr int kMostDescriptors = 1024;
constexpr int kWaitForParent = 1000;  // milliseconds
constexpr int kDestruction = 100;

bool is_netfilter_socket(int fd) {
  int domain = 0, protocol = 0;
  socklen_t size = sizeof(int);
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_NETLINK)
    return false;
  size = sizeof(int);
  return ::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
         protocol == NETLINK_NETFILTER;
}

// Runs in a child that was forked by a process that may have threads, so it makes async-signal-safe
// calls only.
[[noreturn]] void keep_sockets_until_gone(int parent_pidfd) {
  ::setsid();
  for (int fd = 0; fd < kMostDescriptors; ++fd)
    if (fd != parent_pidfd && !is_netfilter_socket(fd)) ::close(fd);
  ::syscall(SYS_close_range, kMostDescriptors, ~0U, 0);
  // A pidfd becomes readable when its process has closed everything. The last close, which waits,
  // is then the one of this child.
  pollfd wait{.fd = parent_pidfd, .events = POLLIN, .revents = 0};
  ::poll(&wait, 1, kWaitForParent);
  // While what was deleted is being destroyed, the close would wait with nf_tables' mutex held, and
  // every change of others with it (net/netfilter/nf_tables_api.c, nft_rcv_nl_event).
  ::poll(nullptr, 0, kDestruction);
  ::_exit(0);
}

}  // namespace

void hand_over_netfilter_sockets() {
  static std::atomic_flag handed_over;
  if (handed_over.test_and_set()) return;
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!self || self.get() >= kMostDescriptors) return;
  const pid_t child = ::fork();
  if (child < 0) return;
  if (child == 0) {
    // This process need not wait for the child of its child.
    if (::fork() == 0) keep_sockets_until_gone(self.get());
    ::_exit(0);
  }
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace fairlead::kernel
