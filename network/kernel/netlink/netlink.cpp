#include "network/kernel/netlink/netlink.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace fairlead::kernel {

namespace {

constexpr std::size_t kBufferSize = 32768;  // the most that the kernel sends in one step of a dump
constexpr int kDumpAttempts = 8;
constexpr time_t kAnswerSeconds =
    20;  // the kernel answers at once; a lost answer must not hang the caller

void switch_on(int fd, int option) {
  const int on = 1;
  // Failures are ignored: an older kernel without the option only gives less detail in its errors.
  (void)::setsockopt(fd, SOL_NETLINK, option, &on, sizeof(on));
}

}  // namespace

Error explained(const Ack& ack, std::string_view what) {
  Error error = sys_error(ack.sys_errno, what);
  if (!ack.text.empty()) error.text += fmt::format(" ({})", ack.text);
  return error;
}

// ---- NetlinkMessage

NetlinkMessage::NetlinkMessage(std::uint16_t type, int flags) {
  bytes_.reserve(512);
  bytes_.resize(sizeof(nlmsghdr));
  set_header({.nlmsg_len = sizeof(nlmsghdr),
              .nlmsg_type = type,
              .nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST),
              .nlmsg_seq = 0,
              .nlmsg_pid = 0});
}

nlmsghdr NetlinkMessage::header() const {
  nlmsghdr header;
  std::memcpy(&header, bytes_.data(), sizeof(header));
  return header;
}

void NetlinkMessage::set_header(const nlmsghdr& header) {
  std::memcpy(bytes_.data(), &header, sizeof(header));
}

void NetlinkMessage::append(Bytes data) {
  bytes_.insert(bytes_.end(), data.begin(), data.end());
  bytes_.resize(MNL_ALIGN(bytes_.size()));
  const auto length = static_cast<std::uint32_t>(bytes_.size());
  std::memcpy(bytes_.data(), &length, sizeof(length));
}

NetlinkMessage& NetlinkMessage::put(int type, Bytes data) {
  const nlattr header{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + data.size()),
                      .nla_type = static_cast<std::uint16_t>(type)};
  append({reinterpret_cast<const std::uint8_t*>(&header), sizeof(header)});
  append(data);
  return *this;
}

NetlinkMessage& NetlinkMessage::put_u8(int type, std::uint8_t value) {
  return put(type, {&value, 1});
}

NetlinkMessage& NetlinkMessage::put_u16(int type, std::uint16_t value) {
  return put(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
}

NetlinkMessage& NetlinkMessage::put_be16(int type, std::uint16_t value) {
  const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(value >> 8),
                                          static_cast<std::uint8_t>(value & 0xff)};
  return put(type, bytes);
}

NetlinkMessage& NetlinkMessage::put_u32(int type, std::uint32_t value) {
  return put(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)});
}

NetlinkMessage& NetlinkMessage::put_u64(int type, std::uint64_t value) {
  return put(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)});
}

NetlinkMessage& NetlinkMessage::put_text(int type, std::string_view text) {
  const std::string terminated(text);
  return put(type,
             {reinterpret_cast<const std::uint8_t*>(terminated.c_str()), terminated.size() + 1});
}

void NetlinkMessage::add_flags(int flags) {
  nlmsghdr changed = header();
  changed.nlmsg_flags = static_cast<std::uint16_t>(changed.nlmsg_flags | flags);
  set_header(changed);
}

void NetlinkMessage::set_sequence(std::uint32_t sequence) {
  nlmsghdr changed = header();
  changed.nlmsg_seq = sequence;
  set_header(changed);
}

NetlinkMessage::Nest::Nest(NetlinkMessage& message, int type)
    : message_(message), start_(message.bytes_.size()) {
  message_.put(type, {});
}

NetlinkMessage::Nest::~Nest() {
  const auto length = static_cast<std::uint16_t>(message_.bytes_.size() - start_);
  std::memcpy(message_.bytes_.data() + start_, &length, sizeof(length));
}

// ---- NetlinkSocket

NetlinkSocket::NetlinkSocket(mnl_socket* socket)
    : socket_(socket), buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kBufferSize)) {}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  mnl_socket* raw = mnl_socket_open2(protocol, SOCK_CLOEXEC);
  if (raw == nullptr) return fail_errno(errno, "open a netlink socket");
  NetlinkSocket opened(raw);
  if (mnl_socket_bind(raw, 0, MNL_SOCKET_AUTOPID) != 0)
    return fail_errno(errno, "bind a netlink socket");
  switch_on(opened.fd(), NETLINK_EXT_ACK);
  switch_on(opened.fd(), NETLINK_CAP_ACK);
  switch_on(opened.fd(), NETLINK_GET_STRICT_CHK);
  const timeval limit{.tv_sec = kAnswerSeconds, .tv_usec = 0};
  (void)::setsockopt(opened.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  return opened;
}

Status NetlinkSocket::join(int group) {
  if (mnl_socket_setsockopt(socket_.get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0)
    return fail_errno(errno, fmt::format("listen to netlink group {}", group));
  return {};
}

void NetlinkSocket::set_receive_buffer(int bytes) {
  if (::setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
    (void)::setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

Status NetlinkSocket::send(Bytes bytes, std::string_view what) {
  ssize_t sent = 0;
  do {
    sent = mnl_socket_sendto(socket_.get(), bytes.data(), bytes.size());
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail_errno(errno, what);
  return {};
}

Result<Bytes> NetlinkSocket::receive(std::string_view what, bool wait) {
  for (;;) {
    sockaddr_nl sender{};
    iovec vector{.iov_base = buffer_.get(), .iov_len = kBufferSize};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof(sender);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    const ssize_t length = ::recvmsg(fd(), &message, wait ? 0 : MSG_DONTWAIT);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && errno == EAGAIN && !wait) return Bytes();
    if (length < 0 && errno == ENOBUFS)
      return fail(Error{Code::kUnavailable, ENOBUFS,
                        fmt::format("{}: answers of the kernel were lost", what)});
    if (length < 0) return fail_errno(errno, what);
    if (sender.nl_pid != 0) continue;  // from another process, not from the kernel
    if ((message.msg_flags & MSG_TRUNC) != 0)
      return fail(
          Error{Code::kIo, EMSGSIZE, fmt::format("{}: the kernel's answer was cut off", what)});
    return Bytes(buffer_.get(), static_cast<std::size_t>(length));
  }
}

Status NetlinkSocket::request(NetlinkMessage message, std::string_view what,
                              const OnMessage& on_message) {
  std::vector<NetlinkStep> steps;
  steps.push_back({.message = std::move(message), .what = std::string(what), .tolerated = 0});
  return batch(std::move(steps), on_message);
}

Status NetlinkSocket::batch(std::vector<NetlinkStep> steps, const OnMessage& on_message,
                            const OnFailure& on_tolerated) {
  std::vector<NetlinkMessage> messages;
  messages.reserve(steps.size());
  for (NetlinkStep& step : steps) messages.push_back(std::move(step.message));
  std::optional<Error> first_error;
  const auto on_failure = [&](std::size_t index, const Ack& ack) {
    const bool tolerated = ack.sys_errno == steps[index].tolerated;
    if (tolerated && on_tolerated) on_tolerated(index, ack);
    if (!tolerated && !first_error) first_error = explained(ack, steps[index].what);
  };
  const std::string_view what = steps.empty() ? std::string_view() : steps.front().what;
  TRY_STATUS(exchange(std::move(messages), what, on_failure, on_message));
  if (first_error) return fail(*first_error);
  return {};
}

Status NetlinkSocket::exchange(std::vector<NetlinkMessage> messages, std::string_view what,
                               const OnFailure& on_failure, const OnMessage& on_message) {
  if (messages.empty()) return {};
  const std::uint32_t first = sequence_ + 1;
  // Failures are reported without it; the ack of the last message ends the wait.
  messages.back().add_flags(NLM_F_ACK);
  std::vector<std::uint8_t> all;
  for (NetlinkMessage& message : messages) {
    message.set_sequence(++sequence_);
    all.insert(all.end(), message.bytes().begin(), message.bytes().end());
  }
  TRY_STATUS(send(all, what));

  const std::uint32_t port = mnl_socket_get_portid(socket_.get());
  for (;;) {
    TRY(Bytes bytes, receive(what));
    while (const auto message = take_message(bytes)) {
      const std::uint32_t index = message->sequence - first;
      if (message->port != port || index >= messages.size())
        continue;  // Answers an earlier request, or is an event.
      if (message->type != NLMSG_ERROR) {
        if (on_message) on_message(*message);
        continue;
      }
      const auto ack = parse_ack(*message);
      if (!ack) return fail(Code::kIo, "{}: the kernel's answer is malformed", what);
      if (ack->sys_errno != 0) on_failure(index, *ack);
      if (index + 1 == messages.size()) return {};
    }
  }
}

Result<bool> NetlinkSocket::dump_once(NetlinkMessage message, std::string_view what,
                                      const OnMessage& on_message) {
  message.add_flags(NLM_F_DUMP);
  message.set_sequence(++sequence_);
  TRY_STATUS(send(message.bytes(), what));
  const std::uint32_t port = mnl_socket_get_portid(socket_.get());
  bool consistent = true;
  for (;;) {
    TRY(Bytes bytes, receive(what));
    while (const auto part = take_message(bytes)) {
      if (part->port != port || part->sequence != sequence_) continue;
      if ((part->flags & NLM_F_DUMP_INTR) != 0) consistent = false;
      if (part->type != NLMSG_DONE && part->type != NLMSG_ERROR) {
        on_message(*part);
        continue;
      }
      const auto ack = parse_ack(*part);
      if (ack && ack->sys_errno != 0) return fail(explained(*ack, what));
      return consistent;
    }
  }
}

Status NetlinkSocket::dump(const NetlinkMessage& message, std::string_view what,
                           const std::function<void()>& restart, const OnMessage& on_message) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    restart();
    TRY(const bool consistent, dump_once(message, what, on_message));
    if (consistent) return {};
  }
  return fail(Code::kUnavailable, "{}: it kept changing while it was read", what);
}

}  // namespace fairlead::kernel
