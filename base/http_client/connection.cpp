#include "base/http_client/connection.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <thread>

namespace fairlead::http_client {

namespace {

using tcp = asio::ip::tcp;
using Addresses = std::vector<tcp::endpoint>;

constexpr int kSilenceBeforeProbe = 5;        // seconds
constexpr int kBetweenProbes = 5;             // seconds
constexpr int kProbes = 2;                    // unanswered ones until the peer counts as gone
constexpr unsigned kUnacknowledged = 10'000;  // milliseconds that sent bytes may wait for an ACK

Result<Addresses> ask_resolver(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0)
    return fail(Code::kUnavailable, "{} does not resolve: {}", host, ::gai_strerror(error));
  Addresses addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    tcp::endpoint endpoint;
    if (one->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
    endpoint.resize(one->ai_addrlen);
    addresses.push_back(endpoint);
  }
  ::freeaddrinfo(found);
  return addresses;
}

// getaddrinfo(3) has no deadline of its own: past ours, its thread is left to end by itself.
Result<Addresses> resolve(const ServerAddress& endpoint, Deadline deadline) {
  beast::error_code not_literal;
  const auto literal = asio::ip::make_address(endpoint.host, not_literal);
  if (!not_literal)
    return Addresses{{literal, static_cast<asio::ip::port_type>(std::stoul(endpoint.port))}};
  std::packaged_task<Result<Addresses>()> task(
      [host = endpoint.host, port = endpoint.port] { return ask_resolver(host, port); });
  auto response = task.get_future();
  std::thread(std::move(task)).detach();
  if (response.wait_until(deadline) != std::future_status::ready)
    return fail(Code::kUnavailable, "{} does not resolve in time", endpoint.host);
  return response.get();
}

void set_option(int socket, int level, int name, unsigned value) {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

// Lets the kernel notice a peer that is gone without a word, also while we only listen.
void watch_peer(int socket) {
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, kSilenceBeforeProbe);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, kBetweenProbes);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledged);
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
}

std::string why(const beast::error_code& error) {
  return error == beast::error::timeout ? "no answer in time" : error.message();
}

Status load(const beast::error_code& error, std::string_view what, const std::string& path) {
  if (!error) return {};
  return fail(Code::kInvalid, "the {} {} cannot be used: {}", what, path, error.message());
}

Status load_files(asio::ssl::context& context, const TlsFiles& files) {
  beast::error_code error;
  if (files.ca.empty())
    context.set_default_verify_paths(error);
  else
    context.load_verify_file(files.ca, error);
  TRY_STATUS(load(error, "CA certificate", files.ca));
  if (files.certificate.empty()) return {};
  context.use_certificate_chain_file(files.certificate, error);
  TRY_STATUS(load(error, "client certificate", files.certificate));
  context.use_private_key_file(files.key, asio::ssl::context::pem, error);
  return load(error, "client key", files.key);
}

}  // namespace

void Connection::run() {
  context_.restart();
  context_.run();
}

std::size_t Connection::read(asio::mutable_buffer into, beast::error_code& error) {
  std::size_t size = 0;
  error = asio::error::operation_aborted;
  const auto done = [&](beast::error_code ended, std::size_t read) { error = ended, size = read; };
  plain().expires_at(deadline_);
  if (tls_)
    tls_->async_read_some(into, done);
  else
    plain_->async_read_some(into, done);
  run();
  return size;
}

beast::error_code Connection::write(std::string_view bytes) {
  beast::error_code error = asio::error::operation_aborted;
  const auto done = [&](beast::error_code ended, std::size_t) { error = ended; };
  const auto buffer = asio::buffer(bytes.data(), bytes.size());
  plain().expires_at(deadline_);
  if (tls_)
    asio::async_write(*tls_, buffer, done);
  else
    asio::async_write(*plain_, buffer, done);
  run();
  return error;
}

Status Connection::connect(const ServerAddress& endpoint) {
  TRY(const Addresses addresses, resolve(endpoint, deadline_));
  beast::error_code outcome = asio::error::host_not_found;
  plain().expires_at(deadline_);
  plain().async_connect(addresses,
                        [&](beast::error_code error, const tcp::endpoint&) { outcome = error; });
  run();
  if (outcome) return fail(Code::kUnavailable, "{}", why(outcome));
  watch_peer(plain().socket().native_handle());
  return {};
}

Status Connection::shake_hands(const ServerAddress& endpoint, const TlsFiles& files) {
  tls_->set_verify_mode(asio::ssl::verify_peer);
  tls_->set_verify_callback(asio::ssl::host_name_verification(endpoint.host));
  beast::error_code not_literal;
  asio::ip::make_address(endpoint.host, not_literal);
  if (not_literal) SSL_set_tlsext_host_name(tls_->native_handle(), endpoint.host.c_str());
  beast::error_code error = asio::error::operation_aborted;
  plain().expires_at(deadline_);
  tls_->async_handshake(asio::ssl::stream_base::client,
                        [&](beast::error_code ended) { error = ended; });
  run();
  if (!error) return {};
  return fail(Code::kUnavailable, "TLS (CA {}, certificate {}): {}",
              files.ca.empty() ? "of the system" : files.ca,
              files.certificate.empty() ? "none" : files.certificate, why(error));
}

Result<std::unique_ptr<Connection>> Connection::open(const ServerAddress& endpoint,
                                                     const TlsFiles& tls, Deadline deadline) {
  std::unique_ptr<Connection> connection(new Connection());
  connection->set_deadline(deadline);
  if (endpoint.scheme == ServerAddress::Scheme::kHttps) {
    connection->tls_context_.emplace(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(connection->tls_context_->native_handle(), TLS1_2_VERSION);
    TRY_STATUS(load_files(*connection->tls_context_, tls));
    connection->tls_ = std::make_unique<Tls>(connection->context_, *connection->tls_context_);
  } else {
    connection->plain_ = std::make_unique<Plain>(connection->context_);
  }
  TRY_STATUS(connection->connect(endpoint));
  if (connection->tls_) TRY_STATUS(connection->shake_hands(endpoint, tls));
  return connection;
}

void Connection::interrupt() {
  asio::post(context_, [this] { plain().close(); });
}

bool Connection::is_quiet() {
  if (buffer_.size() > 0) return false;
  pollfd entry{.fd = plain().socket().native_handle(), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) == 0;
}

}  // namespace fairlead::http_client
