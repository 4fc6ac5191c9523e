#include "network/dns/exchange.h"

#include <net/if.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/hash.h"
#include "network/dns/records.h"
#include "network/kernel/host/bound_sockets.h"

namespace fairlead::dns {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kMostDatagram = 4096;  // we tell servers 1232
constexpr int kDatagramsAtOnce = 16;         // of those that are not the answer
constexpr std::size_t kLengthBytes = 2;      // RFC 1035 section 4.2.2
constexpr std::size_t kReadAtOnce = 4096;

std::uint32_t scope_of(const std::string& zone) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), number);
  if (error == std::errc() && end == zone.data() + zone.size()) return number;
  return zone.empty() ? 0 : ::if_nametoindex(zone.c_str());
}

kernel::SocketName name_of(const Upstream& server) {
  const bool scoped = kernel::is_link_local(server.address);
  return kernel::SocketName::of(server.address, server.port, scoped ? scope_of(server.zone) : 0);
}

Message with_random_id(Bytes question) {
  Message sent(question.begin(), question.end());
  set_id(sent, static_cast<std::uint16_t>(random_word()));
  return sent;
}

// Servers that cannot read a query may answer its header alone.
bool refuses_whole(Bytes sent, Bytes answer) {
  return answer.size() >= kHeaderSize && answer[0] == sent[0] && answer[1] == sent[1] &&
         (answer[2] & 0x80) != 0 && (answer[3] & 0xf) != 0 && answer[4] == 0 && answer[5] == 0;
}

// What both transports have: the socket and the question, until the answer is given away.
class OverSocket : public Exchange {
 public:
  OverSocket(UniqueFd fd, Message sent, Done done)
      : fd_(std::move(fd)), sent_(std::move(sent)), done_(std::move(done)) {}

 protected:
  bool is_answer(Bytes message) const {
    return answers(sent_, message) || refuses_whole(sent_, message);
  }
  // std::nullopt: there will be none. The caller may destroy this.
  void finish(std::optional<Message> answer) {
    watch_.end();
    const Done done = std::move(done_);
    done(std::move(answer));
  }

  const UniqueFd fd_;
  const Message sent_;
  Loop::Watch watch_;

 private:
  Done done_;
};

class Datagram final : public OverSocket {
 public:
  using OverSocket::OverSocket;

  Status start(Loop& loop) {
    if (::send(fd_.get(), sent_.data(), sent_.size(), MSG_NOSIGNAL) < 0)
      return fail_errno(errno, "ask a name server");
    TRY(watch_, loop.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { read(); }));
    return {};
  }

 private:
  void read() {
    std::array<std::uint8_t, kMostDatagram> bytes;
    for (int i = 0; i < kDatagramsAtOnce; ++i) {
      const ssize_t size = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_TRUNC);
      if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (size < 0) return finish(std::nullopt);  // the server's host has nobody at that port
      if (static_cast<std::size_t>(size) > bytes.size()) continue;
      const Bytes answer(bytes.data(), static_cast<std::size_t>(size));
      if (is_answer(answer)) return finish(Message(answer.begin(), answer.end()));
    }
  }
};

class Stream final : public OverSocket {
 public:
  Stream(UniqueFd fd, Message sent, Done done)
      : OverSocket(std::move(fd), std::move(sent), std::move(done)) {
    out_ = {static_cast<std::uint8_t>(sent_.size() >> 8),
            static_cast<std::uint8_t>(sent_.size() & 0xff)};
    out_.insert(out_.end(), sent_.begin(), sent_.end());
  }

  Status start(Loop& loop) {
    TRY(watch_, loop.watch(fd_.get(), EPOLLOUT, [this](std::uint32_t) { go_on(); }));
    return {};
  }

 private:
  void go_on() {
    if (written_ < out_.size())
      write();
    else
      read();
  }

  void write() {
    const ssize_t size =
        ::send(fd_.get(), out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size < 0) return finish(std::nullopt);
    written_ += static_cast<std::size_t>(size);
    if (written_ == out_.size()) watch_.want(EPOLLIN);
  }

  void read() {
    const std::size_t have = in_.size();
    in_.resize(std::min(wanted(), have + kReadAtOnce));
    const ssize_t size = ::recv(fd_.get(), in_.data() + have, in_.size() - have, 0);
    in_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return finish(std::nullopt);
    if (in_.size() < wanted() || in_.size() == kLengthBytes) return;
    in_.erase(in_.begin(), in_.begin() + kLengthBytes);
    if (is_answer(in_)) return finish(std::move(in_));
    finish(std::nullopt);
  }

  // How many bytes there have to be.
  std::size_t wanted() const {
    if (in_.size() < kLengthBytes) return kLengthBytes;
    return kLengthBytes + (static_cast<std::size_t>(in_[0]) << 8 | in_[1]);
  }

  Message out_, in_;
  std::size_t written_ = 0;
};

}  // namespace

Result<std::unique_ptr<Exchange>> start_exchange(Loop& loop, const Upstream& server,
                                                 Transport transport, Bytes question,
                                                 Exchange::Done done) {
  const kernel::SocketName name = name_of(server);
  if (transport == Transport::kDatagram) {
    TRY(UniqueFd fd, kernel::connect_datagram(name));
    auto exchange =
        std::make_unique<Datagram>(std::move(fd), with_random_id(question), std::move(done));
    TRY_STATUS(exchange->start(loop));
    return exchange;
  }
  TRY(UniqueFd fd, kernel::connect_stream(name));
  auto exchange =
      std::make_unique<Stream>(std::move(fd), with_random_id(question), std::move(done));
  TRY_STATUS(exchange->start(loop));
  return exchange;
}

}  // namespace fairlead::dns
