#include "tests/support/lossy_proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>

namespace fairlead::testing {

namespace {

constexpr int kLook = 20;  // milliseconds between checks for a stop request

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

UniqueFd new_socket() { return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

int port_of(const UniqueFd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

bool pass(int from, int to) {
  std::array<char, 65536> piece{};
  const ssize_t size = ::recv(from, piece.data(), piece.size(), 0);
  if (size <= 0) return false;
  return ::send(to, piece.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL) == size;
}

}  // namespace

LossyProxy::LossyProxy(const std::string& url)
    : upstream_port_(std::stoi(url.substr(url.rfind(':') + 1))), listener_(new_socket()) {
  const sockaddr_in address = loopback(0);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 16) != 0)
    throw std::runtime_error("the proxy cannot listen");
  acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

LossyProxy::~LossyProxy() {
  acceptor_.request_stop();
  acceptor_.join();
}

std::string LossyProxy::url() const {
  return "http://127.0.0.1:" + std::to_string(port_of(listener_));
}

void LossyProxy::accept_all(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd entry{.fd = listener_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, kLook) <= 0) continue;
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    connections_.emplace_back([this, fd = std::move(client)](const std::stop_token& ended) mutable {
      serve(ended, std::move(fd));
    });
  }
}

void LossyProxy::serve(const std::stop_token& stop, UniqueFd client) {
  const UniqueFd upstream = new_socket();
  const sockaddr_in address = loopback(upstream_port_);
  if (::connect(upstream.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return;
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> entries{pollfd{.fd = client.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = upstream.get(), .events = POLLIN, .revents = 0}};
    if (::poll(entries.data(), entries.size(), kLook) <= 0) continue;
    if (entries[0].revents != 0 && mode_ == Mode::kHoldRequests)
      return hold(stop, std::move(client), upstream.get());
    const bool loses_request = entries[0].revents != 0 && mode_ == Mode::kLoseRequests;
    const bool loses_answer = entries[1].revents != 0 && mode_ == Mode::kLoseAnswers;
    if (loses_request || loses_answer) {
      ++lost_;
      return;
    }
    if (entries[0].revents != 0 && !pass(client.get(), upstream.get())) return;
    if (entries[1].revents != 0 && !pass(upstream.get(), client.get())) return;
  }
}

void LossyProxy::hold(const std::stop_token& stop, UniqueFd client, int upstream) {
  std::array<char, 65536> request{};
  const ssize_t size = ::recv(client.get(), request.data(), request.size(), 0);
  if (size <= 0) return;
  client.reset();
  ++lost_;
  while (mode_ != Mode::kPass && !stop.stop_requested()) ::poll(nullptr, 0, 1);
  if (::send(upstream, request.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL) != size)
    return;
  if (::recv(upstream, request.data(), request.size(), 0) > 0) ++late_;
}

}  // namespace fairlead::testing
