#include "tests/network/dns/fake_name_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

namespace fairlead::dns::tests {

namespace {

using kernel::SocketName;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return std::move(*result);
}

SocketName name(const std::string& address, std::uint16_t port) {
  return SocketName::of(must(IpAddress::parse(address)), port);
}

bool readable(int fd, Clock::time_point until) {
  const auto rest = std::chrono::ceil<milliseconds>(until - Clock::now());
  pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, static_cast<int>(std::max<long>(rest.count(), 0))) > 0;
}

// Whether `fd` can be read before `stop` can.
bool wait_for(int fd, int stop) {
  std::array<pollfd, 2> ready{
      {{.fd = fd, .events = POLLIN, .revents = 0}, {.fd = stop, .events = POLLIN, .revents = 0}}};
  ::poll(ready.data(), ready.size(), -1);
  return ready[1].revents == 0;
}

UniqueFd connect_from(const std::string& server, std::uint16_t port, const std::string& from,
                      int type) {
  const SocketName to = name(server, port);
  UniqueFd fd(::socket(to.get()->sa_family, type | SOCK_CLOEXEC, 0));
  if (!from.empty()) {
    const SocketName own = name(from, 0);
    if (::bind(fd.get(), own.get(), own.size) != 0) throw std::runtime_error("bind " + from);
  }
  if (::connect(fd.get(), to.get(), to.size) != 0) fd.reset();
  return fd;
}

Message with_length(const Message& message) {
  Message bytes{static_cast<std::uint8_t>(message.size() >> 8),
                static_cast<std::uint8_t>(message.size() & 0xff)};
  bytes.insert(bytes.end(), message.begin(), message.end());
  return bytes;
}

}  // namespace

FakeNameServer::FakeNameServer(const std::string& address, Answer answer, std::uint16_t port)
    : answer_(std::move(answer)),
      datagrams_(must(kernel::bind_datagram(name(address, port), 1 << 20))),
      streams_(must(kernel::bind_stream(name(address, port)))),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      datagram_thread_([this] { serve_datagrams(); }),
      stream_thread_([this] { serve_streams(); }) {}

FakeNameServer::~FakeNameServer() {
  (void)::eventfd_write(stop_.get(), 1);
  datagram_thread_.join();
  stream_thread_.join();
}

std::vector<FakeNameServer::Received> FakeNameServer::received() const {
  const std::scoped_lock lock(mutex_);
  return received_;
}

void FakeNameServer::send(const Message& message, const IpAddress& to, std::uint16_t port) {
  const SocketName client = SocketName::of(to, port);
  (void)::sendto(datagrams_.get(), message.data(), message.size(), 0, client.get(), client.size);
}

std::optional<Message> FakeNameServer::handle(Received received) {
  {
    const std::scoped_lock lock(mutex_);
    received_.push_back(received);
  }
  return answer_(received);
}

void FakeNameServer::serve_datagrams() {
  while (wait_for(datagrams_.get(), stop_.get())) {
    Message bytes(4096);
    SocketName from;
    from.size = sizeof(from.bytes);
    const ssize_t size =
        ::recvfrom(datagrams_.get(), bytes.data(), bytes.size(), 0, from.get(), &from.size);
    if (size < 0) continue;
    bytes.resize(static_cast<std::size_t>(size));
    const auto answer = handle({std::move(bytes), false, from.address(), from.port()});
    if (answer) send(*answer, from.address(), from.port());
  }
}

// One connection after the other, one query each.
void FakeNameServer::serve_streams() {
  while (wait_for(streams_.get(), stop_.get())) {
    SocketName from;
    from.size = sizeof(from.bytes);
    const UniqueFd fd(::accept4(streams_.get(), from.get(), &from.size, SOCK_CLOEXEC));
    if (!fd) continue;
    Message bytes(4098);
    const ssize_t size = ::recv(fd.get(), bytes.data(), bytes.size(), 0);
    if (size < 2) continue;
    bytes.resize(static_cast<std::size_t>(size));
    bytes.erase(bytes.begin(), bytes.begin() + 2);
    const auto answer = handle({std::move(bytes), true, from.address(), from.port()});
    if (!answer) continue;
    const Message sent = with_length(*answer);
    (void)::send(fd.get(), sent.data(), sent.size(), MSG_NOSIGNAL);
  }
}

DatagramClient::DatagramClient(const std::string& server, std::uint16_t port,
                               const std::string& from)
    : fd_(connect_from(server, port, from, SOCK_DGRAM)) {}

void DatagramClient::send(const Message& query) {
  (void)::send(fd_.get(), query.data(), query.size(), MSG_NOSIGNAL);
}

std::optional<Message> DatagramClient::receive(milliseconds timeout) {
  Message bytes(65'535);
  const auto until = Clock::now() + timeout;
  while (readable(fd_.get(), until)) {
    const ssize_t size = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (size < 0) continue;  // nobody was there at first
    bytes.resize(static_cast<std::size_t>(size));
    return bytes;
  }
  return std::nullopt;
}

StreamClient::StreamClient(const std::string& server, std::uint16_t port, const std::string& from)
    : fd_(connect_from(server, port, from, SOCK_STREAM)), connected_(static_cast<bool>(fd_)) {}

void StreamClient::send(const Message& query) { send_bytes(with_length(query)); }

void StreamClient::send_bytes(const Message& bytes) {
  (void)::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

std::optional<Message> StreamClient::read(std::size_t size, Clock::time_point until) {
  Message bytes(size);
  for (std::size_t have = 0; have < size;) {
    if (!readable(fd_.get(), until)) return std::nullopt;
    const ssize_t part = ::recv(fd_.get(), bytes.data() + have, size - have, 0);
    if (part <= 0) return std::nullopt;
    have += static_cast<std::size_t>(part);
  }
  return bytes;
}

std::optional<Message> StreamClient::receive(milliseconds timeout) {
  const auto until = Clock::now() + timeout;
  const auto length = read(2, until);
  if (!length) return std::nullopt;
  return read(static_cast<std::size_t>((*length)[0]) << 8 | (*length)[1], until);
}

bool StreamClient::closed(milliseconds timeout) {
  const auto until = Clock::now() + timeout;
  std::array<char, 4096> bytes;
  while (readable(fd_.get(), until))
    if (::recv(fd_.get(), bytes.data(), bytes.size(), 0) <= 0) return true;
  return false;
}

void StreamClient::shut_down_sending() { ::shutdown(fd_.get(), SHUT_WR); }

void StreamClient::set_receive_buffer(int bytes) {
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

}  // namespace fairlead::dns::tests
