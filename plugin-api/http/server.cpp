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

constexpr std::chrono::seconds kStopTime{10};
constexpr std::chrono::milliseconds kAcceptPause{100};  // when the process is out of descriptors
constexpr std::size_t kScratch = 64 << 10;

class BeastServer : public Server {
 public:
  BeastServer(std::vector<Listener> listeners, Limits limits);

  void run() override;
  void stop() override;

 private:
  // A listening socket, polled while there is room for connections.
  struct Acceptor {
    Acceptor(asio::io_context& io, Listener taken) : listener(std::move(taken)), socket(io) {}
    Listener listener;
    asio::posix::stream_descriptor socket;
    bool waiting = false;
  };

  bool full() const { return sessions_.size() >= host_.limits.connections; }
  void start_accepting();
  void wait_at(Acceptor& acceptor);
  void accept_at(Acceptor& acceptor);
  void pause_accepting(int error);
  void forget(const std::shared_ptr<Session>& session);
  void check_no_later(Clock::time_point when);
  void check_deadlines();
  void begin_stop();
  void close_acceptors();
  void end_when_idle();

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::unordered_set<std::shared_ptr<Session>> sessions_;
  asio::steady_timer sweep_{io_};  // checks the sessions' deadlines
  Clock::time_point sweep_at_ = Clock::time_point::max();
  asio::steady_timer accept_pause_{io_};
  asio::steady_timer stop_timer_{io_};
  bool accepting_paused_ = false;
  SessionHost host_;
  WorkerPool workers_;  // last, so that it is joined before what its jobs refer to is destroyed
};

BeastServer::BeastServer(std::vector<Listener> listeners, Limits limits)
    : host_{.io = io_,
            .workers = workers_,
            .limits = limits,
            .scratch = std::vector<char>(kScratch),
            .check_no_later = [this](Clock::time_point when) { check_no_later(when); },
            .closed = [this](const std::shared_ptr<Session>& session) { forget(session); }},
      workers_(limits.workers) {
  for (Listener& listener : listeners) {
    const int fd = listener.socket.release();
    acceptors_.push_back(std::make_unique<Acceptor>(io_, std::move(listener)));
    acceptors_.back()->socket.assign(fd);
  }
}

void BeastServer::run() {
  start_accepting();
  io_.run();
}

void BeastServer::stop() {
  asio::post(io_, [this] { begin_stop(); });
}

void BeastServer::start_accepting() {
  if (host_.stopping || accepting_paused_ || full()) return;
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
  while (!full()) {
    UniqueFd socket(
        ::accept4(acceptor.socket.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) pause_accepting(errno);
      return;
    }
    auto session = std::make_shared<Session>(host_, acceptor.listener.handler, std::move(socket));
    sessions_.insert(session);
    session->start();
  }
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
  start_accepting();
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
  stop_timer_.expires_after(kStopTime);
  stop_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    log::warn("stopping while requests are not answered", {{"connections", sessions_.size()}});
    io_.stop();
  });
  end_when_idle();
}

void BeastServer::close_acceptors() {
  accept_pause_.cancel();
  for (const auto& acceptor : acceptors_) {
    boost::system::error_code ignored;
    acceptor->socket.close(ignored);
    if (!acceptor->listener.path.empty()) ::unlink(acceptor->listener.path.c_str());
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
  if (limits.connections == 0) limits.connections = 1;
  return std::unique_ptr<Server>(std::make_unique<BeastServer>(std::move(listeners), limits));
}

}  // namespace fairlead::http
