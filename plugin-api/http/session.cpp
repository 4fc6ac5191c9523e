#include "plugin-api/http/session.h"

#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <exception>
#include <utility>

#include "base/log.h"
#include "plugin-api/http/response_text.h"

namespace fairlead::http {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kLingerTime{2};
constexpr std::chrono::seconds kUnfinishedAtStop{1};
constexpr std::chrono::seconds kTurnedAwayTime{2};
// Not worth counting: the number of connections bounds them.
constexpr std::size_t kSmallBody = 16 << 10;

// Sends as much as the socket takes now, without SIGPIPE and without blocking. Returns less than
// all, or -1 with errno, when it takes no more.
ssize_t send_now(int fd, std::string_view text) {
  while (true) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0 || errno != EINTR) return sent;
  }
}

// A client that has only ended its sending (shutdown(2)) still reads, so that does not count.
bool is_closed_by_peer(int fd) {
  pollfd entry{.fd = fd, .events = 0, .revents = 0};
  return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLERR)) != 0;
}

Response error_response(int status, std::string_view text) {
  Response response{
      .status = status, .content_type = "application/json", .body = {}, .headers = {}};
  response.body = fmt::format(R"({{"error":"{}"}})", text);
  return response;
}

// The texts of exceptions are only logged, because they may hold anything.
Response run(const Handler& handler, const Request& request) {
  std::string cause = "an exception of unknown type";
  try {
    return handler(request);
  } catch (const std::exception& error) {
    cause = error.what();
  } catch (...) {
  }
  log::error("a handler failed",
             {{"method", request.method}, {"path", request.path}, {"cause", cause}});
  return error_response(500, "internal error; the log has the details");
}

}  // namespace

Door::Door(Listener taken, const Limits& limits) : listener(std::move(taken)), shares(limits) {
  for (std::size_t i = 0; i < kWorkClasses; ++i)
    workers[i] = std::make_unique<WorkerPool>(limits.workers[i]);
}

WorkerPool& Door::workers_for(const Request& request) {
  const Work work = listener.classify ? listener.classify(request) : Work::kNetwork;
  return *workers[static_cast<std::size_t>(work)];
}

Session::Session(SessionHost& host, Door& door, UniqueFd socket, const Peer& peer)
    : host_(host),
      door_(door),
      socket_(host.io),
      reader_({.header_bytes = host.limits.header_bytes, .body_bytes = host.limits.body_bytes}),
      peer_(peer),
      peer_key_(key_of(peer)) {
  socket_.assign(socket.release());
}

bool Session::idle() const { return phase_ == Phase::kReading && reader_.idle(); }

bool Session::has_input() {
  char first = 0;
  return ::recv(socket_.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void Session::turn_away() {
  turned_away_ = true;
  set_deadline(kTurnedAwayTime);
  wait_readable();
}

void Session::start() {
  set_deadline(host_.limits.idle_time);
  wait_readable();
}

void Session::set_deadline(std::chrono::milliseconds from_now) {
  deadline_ = Clock::now() + from_now;
  host_.check_no_later(deadline_);
}

void Session::wait_readable() {
  socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (!error) self->receive();
                     });
}

void Session::receive() {
  if (phase_ != Phase::kReading && phase_ != Phase::kLingering && phase_ != Phase::kStreaming)
    return;
  const ssize_t got =
      ::recv(socket_.native_handle(), host_.scratch.data(), host_.scratch.size(), MSG_DONTWAIT);
  if (got > 0) return received({host_.scratch.data(), static_cast<std::size_t>(got)});
  if (got == 0) return end_of_input();
  if (errno == EAGAIN || errno == EINTR) return wait_readable();
  close();
}

void Session::received(std::string_view bytes) {
  if (phase_ != Phase::kReading) return wait_readable();  // dropped
  if (turned_away_) return refuse({503, "too many connections are open; close some or try again"});
  const bool first = reader_.idle();
  const RequestReader::State state = reader_.feed(bytes);
  if (first && state != RequestReader::State::kComplete) set_deadline(host_.limits.header_time);
  act_on(state);
}

// Takes what the request occupies now from the shares. False when it is too much.
bool Session::account_body() {
  const std::size_t memory = reader_.body_memory();
  if (memory <= kSmallBody || memory <= body_memory_) return true;
  if (!door_.shares.take_body(peer_key_, memory - body_memory_)) return false;
  body_memory_ = memory;
  return true;
}

void Session::act_on(RequestReader::State state) {
  if (state != RequestReader::State::kRefused && !account_body())
    return refuse({503, "the requests under way take too much memory; try again"});
  switch (state) {
    case RequestReader::State::kContinue:
      send_now(socket_.native_handle(), "HTTP/1.1 100 Continue\r\n\r\n");
      return wait_readable();
    case RequestReader::State::kMore:
      return wait_readable();
    case RequestReader::State::kComplete:
      return handle(reader_.take());
    case RequestReader::State::kRefused:
      return refuse(reader_.refusal());
  }
}

void Session::end_of_input() {
  if (phase_ == Phase::kReading && !reader_.idle())
    return refuse({400, "the request ended too early"});
  if (phase_ == Phase::kStreaming && !is_closed_by_peer(socket_.native_handle())) return;
  close();
}

void Session::handle(Request request) {
  phase_ = Phase::kHandling;
  deadline_ = Clock::time_point::max();  // the core has deadlines of its own
  keep_ = reader_.keep_alive();
  request.peer = peer_;
  request.hung_up = [fd = socket_.native_handle()] { return is_closed_by_peer(fd); };
  answer_taken_ = false;
  WorkerPool& workers = door_.workers_for(request);
  workers.submit(peer_key_, [self = shared_from_this(), request = std::move(request)] {
    if (self->answer_taken_) return;
    self->answer(run(self->door_.listener.handler, request), request.method == "HEAD");
  });
}

// Runs on a worker's thread. While the phase is kHandling, nothing else touches the socket or the
// output.
void Session::answer(Response response, bool head_only) {
  if (answer_taken_.exchange(true)) return;
  if (response.stream && !head_only) {
    asio::post(host_.io, [self = shared_from_this(), header = stream_header(response),
                          stream = std::move(response.stream)]() mutable {
      self->begin_stream(std::move(header), std::move(stream));
    });
    return;
  }
  out_ = to_text(response, keep_ ? Connection::kKeep : Connection::kClose,
                 head_only ? Body::kLeaveOut : Body::kSend);
  const ssize_t sent = send_now(socket_.native_handle(), out_);
  const bool broken = sent < 0 && errno != EAGAIN;
  sent_ = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  asio::post(host_.io, [self = shared_from_this(), broken] {
    if (self->phase_ != Phase::kHandling) return;
    if (broken) return self->close();
    self->phase_ = Phase::kSending;
    if (self->sent_ == self->out_.size()) return self->answered();
    self->set_deadline(self->host_.limits.header_time);
    self->send_rest();
  });
}

void Session::refuse(const Refusal& refusal) {
  phase_ = Phase::kSending;
  keep_ = false;
  refused_ = true;
  out_ = to_text(error_response(refusal.status, refusal.text), Connection::kClose);
  sent_ = 0;
  set_deadline(host_.limits.header_time);
  send_rest();
}

void Session::send_rest() {
  if (phase_ != Phase::kSending) return;
  const ssize_t sent = send_now(socket_.native_handle(), std::string_view(out_).substr(sent_));
  if (sent < 0 && errno != EAGAIN) return close();
  if (sent > 0) sent_ += static_cast<std::size_t>(sent);
  if (sent_ == out_.size()) return answered();
  socket_.async_wait(asio::posix::stream_descriptor::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (!error) self->send_rest();
                     });
}

void Session::answered() {
  used_ = true;
  door_.shares.give_body(peer_key_, std::exchange(body_memory_, 0));
  out_ = std::string();
  if (refused_ && !host_.stopping) return linger();
  if (refused_ || !keep_ || host_.stopping) return close();
  phase_ = Phase::kReading;
  if (reader_.idle()) return start();
  set_deadline(host_.limits.header_time);
  act_on(reader_.feed({}));
}

// ---- a body without an end

void Session::begin_stream(std::string header, std::shared_ptr<BodyStream> stream) {
  if (phase_ != Phase::kHandling) return;
  if (!door_.shares.take_stream(peer_key_))
    return refuse({503, "too many streams are open; close some or try again"});
  has_stream_share_ = true;
  phase_ = Phase::kStreaming;
  stream_ = std::move(stream);
  out_ = std::move(header);
  sent_ = 0;
  stream_->on_ready([&io = host_.io, weak = weak_from_this()] {
    asio::post(io, [weak] {
      if (const auto self = weak.lock()) self->send_stream();
    });
  });
  if (host_.stopping) stream_->stop();
  wait_readable();  // tells when the client hangs up
  send_stream();
}

void Session::send_stream() {
  if (phase_ != Phase::kStreaming || waiting_to_send_) return;
  while (true) {
    if (!send_part()) return;
    if (stream_ended_) return close();
    if (!take_part()) return set_deadline(kStreamHeartbeat);
  }
}

// Returns whether everything that was taken is sent.
bool Session::send_part() {
  const ssize_t sent = send_now(socket_.native_handle(), std::string_view(out_).substr(sent_));
  if (sent < 0 && errno != EAGAIN) {
    close();
    return false;
  }
  if (sent > 0) sent_ += static_cast<std::size_t>(sent);
  if (sent_ == out_.size()) return true;
  set_deadline(host_.stopping ? kUnfinishedAtStop : host_.limits.header_time);
  wait_writable();
  return false;
}

// Returns whether there is something to send.
bool Session::take_part() {
  const BodyStream::Part part = stream_->pull();
  out_ = part.bytes.empty() ? std::string() : chunk(part.bytes);
  if (part.last) out_ += kLastChunk;
  sent_ = 0;
  stream_ended_ = part.last;
  return !out_.empty();
}

void Session::wait_writable() {
  waiting_to_send_ = true;
  socket_.async_wait(asio::posix::stream_descriptor::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->waiting_to_send_ = false;
                       if (!error) self->send_stream();
                     });
}

// Closing with unread input would cut off a client that is still sending, before it could read why
// it was refused.
void Session::linger() {
  phase_ = Phase::kLingering;
  set_deadline(kLingerTime);
  ::shutdown(socket_.native_handle(), SHUT_WR);
  wait_readable();
}

void Session::check_deadline(Clock::time_point now) {
  if (now < deadline_) return;
  if (phase_ == Phase::kStreaming && !waiting_to_send_) {
    stream_->heartbeat();
    return send_stream();
  }
  if (phase_ != Phase::kReading || reader_.idle()) return close();
  boost::system::error_code ignored;
  socket_.cancel(ignored);
  refuse({408, "the request took too long to arrive"});
}

void Session::wind_up() {
  if (phase_ == Phase::kLingering) return close();
  if (phase_ == Phase::kStreaming) {
    stream_->stop();
    if (waiting_to_send_) set_deadline(kUnfinishedAtStop);
    return send_stream();
  }
  if (phase_ != Phase::kReading) return;  // answered() closes it
  if (reader_.idle()) {
    const ssize_t got =
        ::recv(socket_.native_handle(), host_.scratch.data(), host_.scratch.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && used_)) return close();
    if (got > 0) {
      boost::system::error_code ignored;
      socket_.cancel(ignored);
      received({host_.scratch.data(), static_cast<std::size_t>(got)});
    }
  }
  if (phase_ == Phase::kReading) set_deadline(kUnfinishedAtStop);
}

void Session::give_up() {
  if (phase_ != Phase::kHandling || answer_taken_.exchange(true)) return;
  const Response sorry = error_response(503, "the daemon is stopping; try again");
  send_now(socket_.native_handle(), to_text(sorry, Connection::kClose));
  ::shutdown(socket_.native_handle(), SHUT_RDWR);
}

void Session::close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  deadline_ = Clock::time_point::max();
  boost::system::error_code ignored;
  socket_.close(ignored);
  stream_.reset();
  door_.shares.give_body(peer_key_, std::exchange(body_memory_, 0));
  if (std::exchange(has_stream_share_, false)) door_.shares.give_stream(peer_key_);
  host_.closed(shared_from_this());
}

}  // namespace fairlead::http
