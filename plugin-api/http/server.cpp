#include "plugin-api/http/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "plugin-api/http/session.h"

namespace fairlead::http {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds kAcceptPause{100};  // when the process is out of descriptors
constexpr std::size_t kScratch = 64 << 10;
constexpr std::size_t kMostTurnedAway = 64;  // of a socket, at a time
constexpr int kAcceptsAtOnce =
    64;  // so that others have their turn while somebody connects on and on

Peer peer_of(int fd) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return Peer{.pid = 0, .uid = ~0U, .gid = ~0U};
  return Peer{.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
}

class BeastServer : public Server {
 public:
  BeastServer(std::vector<Listener> listeners, Limits limits);

  bool run() override;
  void stop() override;

 private:
  struct Acceptor {
    Acceptor(asio::io_context& io, Listener taken, const Limits& limits)
        : socket(io), door(std::move(taken), limits) {}
    asio::posix::stream_descriptor socket;
    bool waiting = false;
    std::size_t turned_away = 0;
    Door door;
  };
  enum class Whose { kOwn, kAnybodys };

  void start_accepting();
  void wait_at(Acceptor& acceptor);
  void accept_at(Acceptor& acceptor);
  void admit(Acceptor& acceptor, UniqueFd socket);
  bool make_room(const Door& door, PeerKey peer, Whose whose);
  void pause_accepting(int error);
  void forget(const std::shared_ptr<Session>& session);
  void check_no_later(Clock::time_point when);
  void check_deadlines();
  void begin_stop();
  void close_acceptors();
  void end_when_idle();

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  asio::steady_timer sweep_{io_};  // checks the sessions' deadlines
  Clock::time_point sweep_at_ = Clock::time_point::max();
  asio::steady_timer accept_pause_{io_};
  asio::steady_timer stop_timer_{io_};
  bool accepting_paused_ = false;
  SessionHost host_;
  // After all that the jobs of their workers refer to; before the sessions, which refer to them.
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::unordered_set<std::shared_ptr<Session>> sessions_;
};

BeastServer::BeastServer(std::vector<Listener> listeners, Limits limits)
    : host_{.io = io_,
            .limits = limits,
            .scratch = std::vector<char>(kScratch),
            .check_no_later = [this](Clock::time_point when) { check_no_later(when); },
            .closed = [this](const std::shared_ptr<Session>& session) { forget(session); }} {
  for (Listener& listener : listeners) {
    const int fd = listener.socket.release();
    acceptors_.push_back(std::make_unique<Acceptor>(io_, std::move(listener), host_.limits));
    acceptors_.back()->socket.assign(fd);
  }
}

bool BeastServer::run() {
  start_accepting();
  io_.run();
  return sessions_.empty();
}

void BeastServer::stop() {
  asio::post(io_, [this] { begin_stop(); });
}

void BeastServer::start_accepting() {
  if (host_.stopping || accepting_paused_) return;
  for (const auto& acceptor : acceptors_)
    if (!acceptor->waiting) wait_at(*acceptor);
}

void BeastServer::wait_at(Acceptor& acceptor) {
  acceptor.waiting = true;
  acceptor.socket.async_wait(asio::posix::stream_descriptor::wait_read,
                             [this, &acceptor](const boost::system::error_code& error) {
                               acceptor.waiting = false;
                               if (error || host_.stopping) return;
                               accept_at(acceptor);
                               start_accepting();
                             });
}

void BeastServer::accept_at(Acceptor& acceptor) {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    UniqueFd socket(
        ::accept4(acceptor.socket.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) pause_accepting(errno);
      return;
    }
    admit(acceptor, std::move(socket));
  }
}

void BeastServer::admit(Acceptor& acceptor, UniqueFd socket) {
  const Peer peer = peer_of(socket.get());
  const PeerKey key = key_of(peer);
  Door& door = acceptor.door;
  const bool room = (!door.shares.full_for(key) || make_room(door, key, Whose::kOwn)) &&
                    (!door.shares.full() || make_room(door, key, Whose::kAnybodys));
  if (!room && acceptor.turned_away >= kMostTurnedAway) return;  // closed
  auto session = std::make_shared<Session>(host_, door, std::move(socket), peer);
  sessions_.insert(session);
  if (!room) {
    ++acceptor.turned_away;
    return session->turn_away();
  }
  door.shares.add_connection(key);
  session->start();
}

// Closes the connection that has been idle longest: of this peer, or of that which has most
// connections. False when there is none.
bool BeastServer::make_room(const Door& door, PeerKey peer, Whose whose) {
  Session* chosen = nullptr;
  std::pair<std::size_t, Clock::time_point> best;  // the peer's connections, the deadline
  for (const auto& session : sessions_) {
    if (&session->door() != &door || session->turned_away() || !session->idle()) continue;
    if (whose == Whose::kOwn && session->peer() != peer) continue;
    const std::pair have(door.shares.connections_of(session->peer()), session->deadline());
    const bool better =
        have.first > best.first || (have.first == best.first && have.second < best.second);
    if ((chosen != nullptr && !better) || session->has_input()) continue;
    chosen = session.get();
    best = have;
  }
  if (chosen != nullptr) chosen->close();
  return chosen != nullptr;
}

void BeastServer::pause_accepting(int error) {
  log::warn("cannot accept a connection", {{"cause", std::strerror(error)}});
  accepting_paused_ = true;
  accept_pause_.expires_after(kAcceptPause);
  accept_pause_.async_wait([this](const boost::system::error_code&) {
    accepting_paused_ = false;
    start_accepting();
  });
}

void BeastServer::forget(const std::shared_ptr<Session>& session) {
  sessions_.erase(session);
  for (const auto& acceptor : acceptors_) {
    if (&acceptor->door != &session->door()) continue;
    if (session->turned_away())
      --acceptor->turned_away;
    else
      acceptor->door.shares.remove_connection(session->peer());
  }
  end_when_idle();
}

// One timer serves all deadlines. It is only moved to an earlier time, so that answering a request
// costs nothing here.
void BeastServer::check_no_later(Clock::time_point when) {
  if (when >= sweep_at_) return;
  sweep_at_ = when;
  sweep_.expires_at(when);
  sweep_.async_wait([this](const boost::system::error_code& error) {
    if (!error) check_deadlines();
  });
}

void BeastServer::check_deadlines() {
  sweep_at_ = Clock::time_point::max();
  const Clock::time_point now = Clock::now();
  const std::vector<std::shared_ptr<Session>> present(sessions_.begin(), sessions_.end());
  Clock::time_point next = Clock::time_point::max();
  for (const auto& session : present) {
    session->check_deadline(now);
    next = std::min(next, session->deadline());
  }
  check_no_later(next);
}

void BeastServer::begin_stop() {
  if (std::exchange(host_.stopping, true)) return;
  close_acceptors();
  const std::vector<std::shared_ptr<Session>> present(sessions_.begin(), sessions_.end());
  for (const auto& session : present) session->wind_up();
  stop_timer_.expires_after(host_.limits.stop_time);
  stop_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    log::warn("stopping while requests are not answered", {{"connections", sessions_.size()}});
    for (const auto& session : sessions_) session->give_up();
    io_.stop();
  });
  end_when_idle();
}

void BeastServer::close_acceptors() {
  accept_pause_.cancel();
  for (const auto& acceptor : acceptors_) {
    boost::system::error_code ignored;
    acceptor->socket.close(ignored);
    const std::string& path = acceptor->door.listener.path;
    if (!path.empty()) ::unlink(path.c_str());
  }
}

void BeastServer::end_when_idle() {
  if (!host_.stopping || !sessions_.empty()) return;
  sweep_.cancel();
  stop_timer_.cancel();
  work_.reset();
}

}  // namespace

Result<std::unique_ptr<Server>> make_server(std::vector<Listener> listeners, Limits limits) {
  if (listeners.empty())
    return fail(Code::kInvalid, "start the HTTP server: there is no socket to listen on");
  for (const Listener& listener : listeners)
    if (!listener.socket || !listener.handler)
      return fail(Code::kInternal, "start the HTTP server: a listener lacks its socket or handler");
  limits.connections = std::max<std::size_t>(limits.connections, 1);
  limits.peer_connections = std::max<std::size_t>(limits.peer_connections, 1);
  return std::unique_ptr<Server>(std::make_unique<BeastServer>(std::move(listeners), limits));
}

}  // namespace fairlead::http
