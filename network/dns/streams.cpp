#include "network/dns/streams.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <list>
#include <map>
#include <utility>

#include "network/kernel/host/bound_sockets.h"

namespace fairlead::dns {

namespace {

constexpr std::size_t kLengthBytes = 2;  // RFC 1035 section 4.2.2
constexpr std::uint32_t kReadable = EPOLLIN, kWritable = EPOLLOUT;
constexpr int kAcceptsAtOnce = 16;
constexpr std::chrono::milliseconds kAcceptPause{100};

class Connection;
// What has asked last is last.
using Connections = std::list<std::shared_ptr<Connection>>;

}  // namespace

class StreamService {
 public:
  StreamService(Loop& event_loop, StreamLimits stream_limits)
      : loop(event_loop), limits(stream_limits) {}

  // Makes room for one more of this client; false: all are at work.
  bool make_room(const IpAddress& client);
  void add(std::shared_ptr<Connection> connection);
  void used(Connection& connection);
  void remove(Connection& connection);
  void remove_all_of(const void* listener);
  bool close_idle();

  Loop& loop;
  const StreamLimits limits;
  Connections connections;

 private:
  bool close_one(const IpAddress* client);

  std::map<IpAddress, std::size_t> of_client_;
};

namespace {

class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  struct Origin {
    IpAddress client;
    const void* listener = nullptr;
  };

  Connection(StreamService& service, UniqueFd fd, Front& front, Origin origin)
      : service_(service),
        front_(front),
        origin_(origin),
        fd_(std::move(fd)),
        timer_(service.loop, [this] { on_time(); }) {}

  Status start() {
    TRY(watch_,
        service_.loop.watch(fd_.get(), EPOLLIN, [this](std::uint32_t events) { ready(events); }));
    timer_.set_in(service_.limits.idle);
    return {};
  }

  const IpAddress& client() const { return origin_.client; }
  const void* listener() const { return origin_.listener; }
  bool is_idle() const { return outstanding_ == 0 && out_.empty(); }

  // Nothing of this may be touched afterwards, but by who holds it.
  void close() {
    if (!fd_) return;
    watch_.end();
    timer_.cancel();
    fd_.reset();
    service_.remove(*this);
  }

  Connections::iterator place;  // in the list of all

 private:
  void ready(std::uint32_t events) {
    const auto self = shared_from_this();
    // The other end is gone for both directions: there is nobody who would read.
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) return close();
    if ((events & EPOLLOUT) != 0) write();
    if (fd_ && (events & EPOLLIN) != 0) read();
    go_on();
  }

  bool may_read() const {
    return !ended_ && outstanding_ < service_.limits.outstanding && out_.empty();
  }

  void read() {
    std::array<std::uint8_t, 4096> bytes;
    const ssize_t size = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size < 0) return close();
    if (size == 0) {
      ended_ = true;  // it may still read
      return;
    }
    in_.insert(in_.end(), bytes.begin(), bytes.begin() + size);
  }

  // Who waits for other servers is not idle.
  void on_time() {
    if (outstanding_ > 0 && out_.empty()) return timer_.set_in(service_.limits.idle);
    close();
  }

  // Handles the queries that are whole, as many as are allowed at a time, and decides what is waited for.
  void go_on() {
    if (handling_) return;  // an answer has come at once
    handling_ = true;
    while (fd_ && outstanding_ < service_.limits.outstanding && out_.empty() && handle_next()) {
    }
    handling_ = false;
    if (!fd_) return;
    if (ended_ && is_idle()) return close();
    watch_.want((may_read() ? kReadable : 0U) | (out_.empty() ? 0U : kWritable));
  }

  // Whether there was one.
  bool handle_next() {
    if (in_.size() < kLengthBytes) return false;
    const std::size_t size = static_cast<std::size_t>(in_[0]) << 8 | in_[1];
    if (size == 0 || size > service_.limits.query_bytes) {
      close();
      return false;
    }
    if (in_.size() < kLengthBytes + size) return false;
    const Message query(in_.begin() + kLengthBytes,
                        in_.begin() + static_cast<std::ptrdiff_t>(kLengthBytes + size));
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(kLengthBytes + size));
    timer_.set_in(service_.limits.idle);
    service_.used(*this);
    ask(query);
    return true;
  }

  void ask(const Message& query) {
    bool answered_later = false;
    const auto later = [&]() -> Front::Answer {
      answered_later = true;
      ++outstanding_;
      return [connection = weak_from_this()](const Message& answer) {
        if (const auto alive = connection.lock()) alive->answer_later(answer);
      };
    };
    const auto answer = front_.ask({query, origin_.client, Transport::kStream}, later);
    if (answer) return send(*answer);
    // What is no query gets no answer, and says what its sender is.
    if (!answered_later) close();
  }

  void answer_later(const Message& answer) {
    if (!fd_) return;
    --outstanding_;
    if (out_.empty()) timer_.set_in(service_.limits.idle);
    send(answer);
    go_on();
  }

  void send(const Message& answer) {
    if (answer.size() > 0xffff) return close();
    const bool was_empty = out_.empty();
    out_.push_back(static_cast<std::uint8_t>(answer.size() >> 8));
    out_.push_back(static_cast<std::uint8_t>(answer.size() & 0xff));
    out_.insert(out_.end(), answer.begin(), answer.end());
    if (was_empty) write();
    if (fd_ && out_.size() > service_.limits.answer_bytes) close();
  }

  // A slow reader has one time for everything that waits for him.
  void write() {
    if (out_.empty()) return;
    const ssize_t size = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return close();
    out_.erase(out_.begin(), out_.begin() + size);
    if (out_.empty()) timer_.set_in(service_.limits.idle);
  }

  StreamService& service_;
  Front& front_;
  const Origin origin_;
  UniqueFd fd_;
  Loop::Watch watch_;
  Loop::Timer timer_;
  Message in_, out_;
  std::size_t outstanding_ = 0;
  bool ended_ = false;     // the client sends nothing any more
  bool handling_ = false;  // go_on() is at work
};

class Listener final : public StreamSocket {
 public:
  Listener(std::shared_ptr<StreamService> service, UniqueFd fd, Front& front)
      : service_(std::move(service)),
        front_(front),
        fd_(std::move(fd)),
        pause_(service_->loop, [this] { watch_.want(EPOLLIN); }) {}
  ~Listener() override { service_->remove_all_of(this); }

  Status start() {
    TRY(watch_, service_->loop.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { accept(); }));
    return {};
  }

 private:
  void accept() {
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      kernel::SocketName from;
      from.size = sizeof(from.bytes);
      UniqueFd fd(::accept4(fd_.get(), from.get(), &from.size, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (fd)
        add(std::move(fd), from.address());
      else if (errno == EAGAIN)
        return;
      else if (is_exhausted(errno) && !service_->close_idle())
        return pause();
    }
  }

  // accept(2) leaves the connection where it is, so that the socket stays ready.
  static bool is_exhausted(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
  }

  void pause() {
    watch_.want(0);
    pause_.set_in(kAcceptPause);
  }

  void add(UniqueFd fd, const IpAddress& client) {
    if (!service_->make_room(client)) return;
    auto connection = std::make_shared<Connection>(*service_, std::move(fd), front_,
                                                   Connection::Origin{client, this});
    if (connection->start()) service_->add(std::move(connection));
  }

  const std::shared_ptr<StreamService> service_;
  Front& front_;
  const UniqueFd fd_;
  Loop::Watch watch_;
  Loop::Timer pause_;
};

}  // namespace

bool StreamService::make_room(const IpAddress& client) {
  const std::size_t free = limits.all - std::min(limits.all, connections.size());
  const auto own = of_client_.find(client);
  if (own != of_client_.end() && own->second >= std::min(limits.of_client, free))
    return close_one(&client);
  return free > 0 || close_one(nullptr);
}

void StreamService::add(std::shared_ptr<Connection> connection) {
  ++of_client_[connection->client()];
  connections.push_back(std::move(connection));
  connections.back()->place = std::prev(connections.end());
}

void StreamService::used(Connection& connection) {
  connections.splice(connections.end(), connections, connection.place);
}

void StreamService::remove(Connection& connection) {
  const auto own = of_client_.find(connection.client());
  if (--own->second == 0) of_client_.erase(own);
  connections.erase(connection.place);
}

void StreamService::remove_all_of(const void* listener) {
  for (auto at = connections.begin(); at != connections.end();) {
    const std::shared_ptr<Connection> each = *at++;
    if (each->listener() == listener) each->close();
  }
}

bool StreamService::close_idle() { return close_one(nullptr); }

// The one that has been idle for the longest time, of all or of one client.
bool StreamService::close_one(const IpAddress* client) {
  const auto found = std::ranges::find_if(connections, [&](const auto& each) {
    return each->is_idle() && (client == nullptr || each->client() == *client);
  });
  if (found == connections.end()) return false;
  const std::shared_ptr<Connection> idle = *found;
  idle->close();
  return true;
}

std::shared_ptr<StreamService> make_stream_service(Loop& loop, StreamLimits limits) {
  return std::make_shared<StreamService>(loop, limits);
}

std::size_t connections(const StreamService& service) { return service.connections.size(); }

Result<std::unique_ptr<StreamSocket>> serve_streams(std::shared_ptr<StreamService> service,
                                                    UniqueFd fd, Front& front) {
  auto listener = std::make_unique<Listener>(std::move(service), std::move(fd), front);
  TRY_STATUS(listener->start());
  return std::unique_ptr<StreamSocket>(std::move(listener));
}

}  // namespace fairlead::dns
