#include "tests/base/http_client/scripted_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

namespace fairlead::http_client::testing {

namespace {

constexpr int kSecondsOfPatience = 20;  // a test that goes wrong must not wait for ever

UniqueFd listen_on_loopback(int family) {
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in v4{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  sockaddr_in6 v6{.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
  const bool is_v4 = family == AF_INET;
  const auto* address = is_v4 ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
  if (::bind(socket.get(), address, is_v4 ? sizeof v4 : sizeof v6) != 0 ||
      ::listen(socket.get(), 8) != 0)
    ADD_FAILURE() << "no server on loopback: " << std::strerror(errno);
  return socket;
}

std::string port_of(int socket) {
  sockaddr_in6 bound{};  // the port is at the same place in both families
  socklen_t size = sizeof bound;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size);
  return std::to_string(ntohs(bound.sin6_port));
}

std::size_t length_of_body(const std::string& head) {
  const std::size_t at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
}

}  // namespace

Peer::Peer(UniqueFd socket, SSL_CTX* tls)
    : socket_(std::move(socket)), tls_(tls != nullptr ? SSL_new(tls) : nullptr, SSL_free) {
  const timeval patience{.tv_sec = kSecondsOfPatience, .tv_usec = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (tls_) SSL_set_fd(tls_.get(), socket_.get());
}

Peer::~Peer() {
  if (tls_) SSL_shutdown(tls_.get());
}

bool Peer::shake_hands() { return !tls_ || SSL_accept(tls_.get()) == 1; }

std::size_t Peer::read(char* into, std::size_t most) {
  const auto size = tls_ ? SSL_read(tls_.get(), into, static_cast<int>(most))
                         : ::recv(socket_.get(), into, most, 0);
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

std::string Peer::request() {
  std::string text;
  char c = 0;
  while (!text.ends_with("\r\n\r\n") && read(&c, 1) == 1) text += c;
  std::string body(length_of_body(text), '\0');
  std::size_t size = 0;
  while (size < body.size()) {
    const std::size_t more = read(&body[size], body.size() - size);
    if (more == 0) break;
    size += more;
  }
  return text + body.substr(0, size);
}

void Peer::say(std::string_view bytes) {
  if (tls_)
    SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
  else
    ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

void Peer::wait_for_end() {
  char c = 0;
  while (read(&c, 1) == 1) {
  }
}

ScriptedServer::ScriptedServer(std::function<void(Peer&)> serve, int family, const TlsFiles& tls)
    : serve_(std::move(serve)), listener_(listen_on_loopback(family)) {
  address_ = {.scheme = tls.certificate.empty() ? ServerAddress::Scheme::kHttp
                                                : ServerAddress::Scheme::kHttps,
              .host = family == AF_INET ? "127.0.0.1" : "::1",
              .port = port_of(listener_.get())};
  if (!tls.certificate.empty()) {
    tls_.reset(SSL_CTX_new(TLS_server_method()));
    EXPECT_EQ(SSL_CTX_use_certificate_chain_file(tls_.get(), tls.certificate.c_str()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(tls_.get(), tls.key.c_str(), SSL_FILETYPE_PEM), 1);
  }
  thread_ = std::thread([this] { run(); });
}

ScriptedServer::~ScriptedServer() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

void ScriptedServer::run() {
  sigset_t broken_pipe;  // OpenSSL writes without MSG_NOSIGNAL
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  while (true) {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) return;
    ++connections_;
    Peer peer(std::move(socket), tls_.get());
    if (peer.shake_hands()) serve_(peer);
  }
}

}  // namespace fairlead::http_client::testing
