#include "volume/kernel/sftp_link.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;

constexpr auto kStep = 100ms;       // how often a waiter looks whether he shall go on
constexpr auto kLastPatience = 5s;  // see Patience::kLast
constexpr auto kLastWords = 500ms;  // for the program to say why it ends
constexpr std::size_t kBuffer = 2 * sftp::kLongestMessage, kMostWords = 600;

std::uint32_t read_length(const char* from) {
  std::uint32_t length = 0;
  for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<std::uint8_t>(from[i]);
  return length;
}

bool waits(int error) { return error == EAGAIN || error == EINTR; }

// Lines that only say what Fairlead says anyway, or what happened on every connection.
bool is_noise(std::string_view line) {
  return line.empty() || line.starts_with("Warning: Permanently added");
}

std::string last_words(std::string_view text) {
  std::string words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!is_noise(line)) words.append(words.empty() ? "" : "; ").append(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  for (char& c : words)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return words;
}

}  // namespace

// --- sending

Status SftpLink::transmit(std::string_view message, std::string_view data) {
  const std::scoped_lock one(sending_);
  auto stuck = Clock::now();
  while (!message.empty() || !data.empty()) {
    std::array<iovec, 2> parts{{{const_cast<char*>(message.data()), message.size()},
                                {const_cast<char*>(data.data()), data.size()}}};
    msghdr header{};
    header.msg_iov = parts.data();
    header.msg_iovlen = parts.size();
    const ssize_t put = ::sendmsg(process_.socket(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put >= 0) {
      const auto of_message = std::min(static_cast<std::size_t>(put), message.size());
      message.remove_prefix(of_message);
      data.remove_prefix(static_cast<std::size_t>(put) - of_message);
      stuck = Clock::now();
      continue;
    }
    if (auto lost = lost_already()) return fail(std::move(*lost));
    if (!waits(errno)) return fail(Code::kIo, "the connection to {} is lost", settings_.host);
    TRY_STATUS(check_stopped());
    if (Clock::now() - stuck > settings_.silence)
      return fail(Code::kIo, "{} has taken nothing for {} s", settings_.host,
                  std::chrono::duration_cast<std::chrono::seconds>(settings_.silence).count());
    pollfd ready{.fd = process_.socket(), .events = POLLOUT, .revents = 0};
    ::poll(&ready, 1, static_cast<int>(kStep / 1ms));
  }
  return {};
}

void SftpLink::send(const Call& call, std::string_view message, std::string_view data) {
  {
    const std::scoped_lock hold(mutex_);
    if (lost_) {
      call->failure = lost_;
      return;
    }
    if (calls_.empty()) heard_ = Clock::now();  // it had nothing to say until now
    calls_.emplace(call->id, call);
  }
  const auto sent = transmit(message, data);
  if (sent) return;
  // Half of a message may be on its way, so nothing can follow it.
  lose(sent.error());
  const std::scoped_lock hold(mutex_);
  call->failure = lost_;
}

// --- waiting

std::optional<Error> SftpLink::lost_already() {
  const std::scoped_lock hold(mutex_);
  return lost_;
}

Status SftpLink::check_stopped() {
  if (!settings_.stopped) return {};
  std::unique_lock hold(mutex_);
  if (!stopped_) {
    hold.unlock();
    if (!settings_.stopped()) return {};
    hold.lock();
    if (!stopped_) stopped_ = Clock::now();
  }
  const auto now = Clock::now();
  const bool is_silent = now - std::max(heard_, *stopped_) > settings_.hush;
  if (!is_silent && now - *stopped_ <= settings_.grace) return {};
  hold.unlock();
  Error stopped{Code::kUnavailable, 0, "it was stopped"};
  // What is still to be done (a lock to be given back) would wait for the same server in vain.
  if (is_silent) lose(stopped);
  return fail(std::move(stopped));
}

Status SftpLink::wait(const Call& call, SftpClient::Patience patience) {
  const auto begun = Clock::now();
  std::unique_lock hold(mutex_);
  for (;;) {
    if (call->answer) return {};
    if (call->failure) return fail(*call->failure);
    if (lost_) return fail(*lost_);
    const auto now = Clock::now();
    if (now - heard_ > settings_.silence && now - begun > settings_.silence) {
      hold.unlock();
      lose({Code::kIo, 0,
            fmt::format("{} has not answered for {} s", settings_.host,
                        std::chrono::duration_cast<std::chrono::seconds>(now - heard_).count())});
      hold.lock();
      continue;
    }
    if (patience == SftpClient::Patience::kLast && now - begun > kLastPatience)
      return fail(Code::kUnavailable, "{} did not answer in time", settings_.host);
    changed_.wait_for(hold, kStep);
    if (call->answer || patience == SftpClient::Patience::kLast) continue;
    hold.unlock();
    const auto stopped = check_stopped();
    hold.lock();
    if (!stopped && !call->answer) return stopped;
  }
}

bool SftpLink::is_answered(const Call& call) {
  const std::scoped_lock hold(mutex_);
  return call->answer || call->failure || lost_;
}

void SftpLink::abandon(const Call& call) {
  const std::scoped_lock hold(mutex_);
  call->into = {};
}

// --- losing

void SftpLink::lose(Error why) {
  {
    const std::scoped_lock hold(mutex_);
    if (lost_) return;
    lost_ = std::move(why);
    calls_.clear();
  }
  changed_.notify_all();
  ::shutdown(process_.socket(), SHUT_RDWR);  // which ends the program and our thread
}

// Its last words say why.
Error SftpLink::lost() {
  pollfd more{.fd = process_.errors(), .events = POLLIN, .revents = 0};
  for (const auto until = Clock::now() + kLastWords; Clock::now() < until;) {
    if (::poll(&more, 1, 50) == 1) {
      hear_errors();
      if ((more.revents & POLLIN) == 0) break;  // it has ended
    }
  }
  const std::string words = last_words(words_);
  return {Code::kIo, 0,
          words.empty() ? fmt::format("the connection to {} is lost: {} ended", settings_.host,
                                      process_.program())
                        : fmt::format("the connection to {} is lost: {}: {}", settings_.host,
                                      process_.program(), words)};
}

void SftpLink::hear_errors() {
  std::array<char, 4096> bytes{};
  for (;;) {
    const ssize_t got = ::read(process_.errors(), bytes.data(), bytes.size());
    if (got <= 0) break;
    words_.append(bytes.data(), static_cast<std::size_t>(got));
    if (words_.size() > kMostWords) words_.erase(0, words_.size() - kMostWords);
  }
}

// --- receiving

// Takes what has arrived into the buffer; false at the end of the connection.
bool SftpLink::receive() {
  if (buffer_.empty()) buffer_.resize(kBuffer);
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const ssize_t got =
      ::recv(process_.socket(), buffer_.data() + end_, buffer_.size() - end_, MSG_DONTWAIT);
  if (got > 0) end_ += static_cast<std::size_t>(got);
  return got > 0 || (got < 0 && waits(errno));
}

void SftpLink::deliver(const sftp::Reply& reply) {
  {
    const std::scoped_lock hold(mutex_);
    const auto found = calls_.find(reply.id);
    if (found == calls_.end()) return;  // a reply to nothing
    SftpCall::State& call = *found->second;
    if (reply.kind == sftp::Reply::Kind::kData) {
      call.got = std::min(reply.bytes.size(), call.into.size());
      if (call.got > 0) std::memcpy(call.into.data(), reply.bytes.data(), call.got);
    }
    call.answer = reply;
    if (reply.kind == sftp::Reply::Kind::kExtended) call.kept = reply.bytes;
    call.answer->bytes = call.kept;
    calls_.erase(found);
  }
  changed_.notify_all();
}

// Delivers the messages that are complete.
bool SftpLink::take_messages() {
  while (end_ - begin_ >= 4) {
    const std::uint32_t length = read_length(buffer_.data() + begin_);
    if (length == 0 || length > sftp::kLongestMessage) {
      lose({Code::kIo, 0,
            fmt::format("{} sent a message of {} bytes, which SFTP does not have", settings_.host,
                        length)});
      return false;
    }
    if (end_ - begin_ < 4 + std::size_t{length}) return true;
    const auto reply = sftp::parse_reply(std::string_view(buffer_).substr(begin_ + 4, length));
    if (!reply) {
      lose(with_context(reply.error(), settings_.host));
      return false;
    }
    deliver(*reply);
    begin_ += 4 + std::size_t{length};
  }
  return true;
}

bool SftpLink::listen_once() {
  std::array<pollfd, 2> ready{{{process_.socket(), POLLIN, 0}, {process_.errors(), POLLIN, 0}}};
  if (::poll(ready.data(), ready.size(), -1) < 0) return errno == EINTR;
  if ((ready[1].revents & POLLIN) != 0) hear_errors();
  if (ready[0].revents == 0) {
    // Closed without words: poll would return at once for ever.
    if ((ready[1].revents & (POLLHUP | POLLERR)) != 0) ::poll(ready.data(), 1, -1);
    return true;
  }
  if (!receive()) {
    if (!ending_) lose(lost());
    return false;
  }
  {
    const std::scoped_lock hold(mutex_);
    heard_ = Clock::now();
  }
  return take_messages();
}

void SftpLink::listen() {
  if (!take_messages()) return;  // what came together with the greeting
  while (listen_once()) {
  }
}

void SftpLink::run() {
  thread_ = std::thread([this] { listen(); });
}

void SftpLink::finish() {
  ending_ = true;
  if (!lost_already()) process_.end(1s);
  ::shutdown(process_.socket(), SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
}

// --- the greeting

Result<std::string> SftpLink::first_message() {
  const auto until = Clock::now() + settings_.opening;
  for (;;) {
    if (end_ - begin_ >= 4) {
      const std::uint32_t length = read_length(buffer_.data() + begin_);
      if (length > sftp::kLongestMessage)
        return fail(Code::kIo,
                    "{} sent text where SFTP was expected: \"{}\"; what its shell runs at a login "
                    "must print nothing",
                    settings_.host,
                    shown(std::string_view(buffer_).substr(
                        begin_, std::min<std::size_t>(end_ - begin_, 60))));
      if (end_ - begin_ >= 4 + std::size_t{length}) {
        std::string message = buffer_.substr(begin_ + 4, length);
        begin_ += 4 + std::size_t{length};
        return message;
      }
    }
    if (Clock::now() > until)
      return fail(Code::kIo, "{} has not answered for {} s", settings_.host,
                  std::chrono::duration_cast<std::chrono::seconds>(settings_.opening).count());
    if (settings_.stopped && settings_.stopped()) return fail(Code::kUnavailable, "it was stopped");
    std::array<pollfd, 2> ready{{{process_.socket(), POLLIN, 0}, {process_.errors(), POLLIN, 0}}};
    ::poll(ready.data(), ready.size(), static_cast<int>(kStep / 1ms));
    hear_errors();
    if (ready[0].revents != 0 && !receive()) return fail(lost());
  }
}

Result<sftp::Greeting> SftpLink::greet() {
  const std::string hello = sftp::greeting();
  // A failure here is a program that has ended already, and its words are better.
  [[maybe_unused]] const auto sent = transmit(hello, {});
  TRY(const auto message, first_message());
  return sftp::parse_greeting(message);
}

}  // namespace fairlead::volume
