#include "plugin-api/thin/daemon_call.h"

#include <linux/errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "plugin-api/thin/process.h"

namespace client {

namespace {

struct Variable {
  Text name;    // ends with "="
  Text header;  // ends with ": "
};
constexpr Variable kInstance[] = {{"FAIRLEAD_CONFIG=", "X-Fairlead-Config: "},
                                  {"FAIRLEAD_STATE_DIR=", "X-Fairlead-State-Dir: "}};

long now() {
  timespec time{};
  call(SYS_clock_gettime, CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
}

bool was_turned_away(const Answer& answer) {
  const long status = answer.status;
  return answer.complete && answer.exit_code < 0 &&
         (status == 404 || status == 405 || status == 413 || status == 421 || status == 431 ||
          status == 503);
}

// Drops what was sent from the front of the parts.
void advance(iovec (&parts)[2], std::size_t sent) {
  for (iovec& part : parts) {
    const std::size_t taken = sent < part.iov_len ? sent : part.iov_len;
    part.iov_base = static_cast<char*>(part.iov_base) + taken;
    part.iov_len -= taken;
    sent -= taken;
  }
}

}  // namespace

Outcome DaemonCall::begin(Text path, Text exit_header, long timeout) {
  exit_header_ = exit_header;
  deadline_ = now() + timeout;
  const Text folder = variable("FAIRLEAD_RUN_DIR=");
  socket_path_.add(folder.empty() ? Text("/run/fairlead") : folder);
  socket_path_.add("/api.sock");
  // Which run folder a configuration has is written in JSON; a folder that is no absolute path is
  // refused by those who read it.
  const bool known = folder.empty() ? variable(kInstance[0].name).empty() : folder.data[0] == '/';
  if (!known) return Outcome::kUnfit;
  head_.add("POST ");
  head_.add(path);
  head_.add(
      " HTTP/1.1\r\nHost: fairlead\r\nConnection: close\r\nContent-Type: application/json\r\n");
  for (const Variable& entry : kInstance)
    if (add(entry.header, variable(entry.name)) != Outcome::kOk) return Outcome::kUnfit;
  return Outcome::kOk;
}

Outcome DaemonCall::add(Text name, Text value) {
  if (value.empty()) return Outcome::kOk;
  if (!can_be_header(value)) return Outcome::kUnfit;
  head_.add(name);
  head_.add(value);
  head_.add("\r\n");
  return Outcome::kOk;
}

void DaemonCall::add(Text name, long number) {
  head_.add(name);
  head_.add_number(static_cast<unsigned long>(number));
  head_.add("\r\n");
}

Outcome DaemonCall::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const Text path = socket_path();
  if (!socket_path_.fits() || path.size >= sizeof address.sun_path) return Outcome::kNobody;
  for (std::size_t i = 0; i < path.size; ++i) address.sun_path[i] = path.data[i];
  const long fd = call(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Outcome::kNoSocket;
  if (fd <= 2) return Outcome::kNoStreams;
  const long left = deadline_ - now();
  const timeval timeout{left / 1000, left % 1000 * 1000};
  call(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  const long result = call(SYS_connect, fd, &address, sizeof address);
  fd_ = static_cast<int>(fd);
  if (result == 0) return Outcome::kOk;
  call(SYS_close, fd);
  if (result == -ENOENT || result == -ENOTDIR || result == -ECONNREFUSED) return Outcome::kNobody;
  return result == -EAGAIN ? Outcome::kLate : Outcome::kDenied;
}

Outcome DaemonCall::send(Text body) {
  add("Content-Length: ", static_cast<long>(body.size));
  head_.add("\r\n");
  if (!head_.fits()) return Outcome::kUnfit;
  if (!send_all(body)) return Outcome::kLate;
  return receive();
}

// Sends the request in one piece. When the daemon answers early (the body is too large), sending
// may stop half way; the response is read then. False at the deadline.
bool DaemonCall::send_all(Text body) const {
  iovec parts[2] = {{const_cast<char*>(head_.text().data), head_.text().size},
                    {const_cast<char*>(body.data), body.size}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  while (parts[0].iov_len + parts[1].iov_len != 0) {
    const long sent = call(SYS_sendmsg, fd_, &message, MSG_NOSIGNAL);
    if (sent == -EINTR) continue;
    if (sent == -EAGAIN) return false;
    if (sent <= 0) return true;
    advance(parts, static_cast<std::size_t>(sent));
  }
  return true;
}

// False at the deadline.
bool DaemonCall::wait_for_input() const {
  for (;;) {
    const long left = deadline_ - now();
    if (left <= 0) return false;
    pollfd poll{fd_, POLLIN, 0};
    const timespec timeout{left / 1000, left % 1000 * 1'000'000};
    if (call(SYS_ppoll, &poll, 1, &timeout, static_cast<const void*>(nullptr), 0) > 0) return true;
  }
}

// Reads until the response is complete or the daemon has closed the connection.
Outcome DaemonCall::receive() {
  std::size_t size = 0;
  while (size < sizeof bytes_) {
    if (!wait_for_input()) return Outcome::kLate;
    const long got = call(SYS_read, fd_, bytes_ + size, static_cast<long>(sizeof bytes_ - size));
    if (got == -EINTR) continue;
    if (got <= 0) return Outcome::kBroken;
    size += static_cast<std::size_t>(got);
    answer_ = parse_answer({bytes_, size}, exit_header_);
    if (answer_.complete) break;
  }
  if (answer_.complete && answer_.exit_code >= 0) return Outcome::kOk;
  return was_turned_away(answer_) ? Outcome::kTurnedAway : Outcome::kBroken;
}

}  // namespace client
