// Connections over TCP, with TLS or without.
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstring>
#include <future>
#include <thread>

#include "base/http_client/connection.h"

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

// `plain`: the lowest layer of the connection.
template <class Plain, class Run>
Status connect_to(Plain& plain, const Run& run, const ServerAddress& endpoint, Deadline deadline) {
  TRY(const Addresses addresses, resolve(endpoint, deadline));
  beast::error_code outcome = asio::error::host_not_found;
  plain.expires_at(deadline);
  plain.async_connect(addresses,
                      [&](beast::error_code error, const tcp::endpoint&) { outcome = error; });
  run();
  if (outcome) return fail(Code::kUnavailable, "{}", why(outcome));
  watch_peer(plain.socket().native_handle());
  return {};
}

class TcpConnection : public StreamConnection<PlainStream<tcp>> {
 public:
  Status connect(const ServerAddress& endpoint) {
    return connect_to(
        plain(), [this] { run(); }, endpoint, deadline_);
  }
};

// Made before the stream, and destroyed after it.
struct TlsContext {
  asio::ssl::context tls{asio::ssl::context::tls_client};
};

class TlsConnection : private TlsContext,
                      public StreamConnection<asio::ssl::stream<PlainStream<tcp>>> {
 public:
  explicit TlsConnection(TlsContext context)
      : TlsContext(std::move(context)), StreamConnection(tls) {}

  // The handshake checks the server's certificate and name.
  Status connect(const ServerAddress& endpoint, const TlsFiles& files) {
    TRY_STATUS(connect_to(
        plain(), [this] { run(); }, endpoint, deadline_));
    return shake_hands(endpoint, files);
  }

 private:
  Status shake_hands(const ServerAddress& endpoint, const TlsFiles& files) {
    stream_.set_verify_mode(asio::ssl::verify_peer);
    stream_.set_verify_callback(asio::ssl::host_name_verification(endpoint.host));
    beast::error_code not_literal;
    asio::ip::make_address(endpoint.host, not_literal);
    if (not_literal) SSL_set_tlsext_host_name(stream_.native_handle(), endpoint.host.c_str());
    beast::error_code error = asio::error::operation_aborted;
    plain().expires_at(deadline_);
    stream_.async_handshake(asio::ssl::stream_base::client,
                            [&](beast::error_code ended) { error = ended; });
    run();
    if (!error) return {};
    return fail(Code::kUnavailable, "TLS (CA {}, certificate {}): {}",
                files.ca.empty() ? "of the system" : files.ca,
                files.certificate.empty() ? "none" : files.certificate, why(error));
  }
};

Result<std::unique_ptr<Connection>> open_tls(const ServerAddress& endpoint, const TlsFiles& files,
                                             Deadline deadline) {
  TlsContext context;
  SSL_CTX_set_min_proto_version(context.tls.native_handle(), TLS1_2_VERSION);
  TRY_STATUS(load_files(context.tls, files));
  auto connection = std::make_unique<TlsConnection>(std::move(context));
  connection->set_deadline(deadline);
  TRY_STATUS(connection->connect(endpoint, files));
  return connection;
}

Result<std::unique_ptr<Connection>> open_plain(const ServerAddress& endpoint, Deadline deadline) {
  auto connection = std::make_unique<TcpConnection>();
  connection->set_deadline(deadline);
  TRY_STATUS(connection->connect(endpoint));
  return connection;
}

}  // namespace

Server tcp_server(const ServerAddress& address, const TlsFiles& tls) {
  const bool brackets = address.host.find(':') != std::string::npos;
  return {fmt::format("{}{}{}:{}", brackets ? "[" : "", address.host, brackets ? "]" : "",
                      address.port),
          [address, tls](Deadline deadline) {
            return address.scheme == ServerAddress::Scheme::kHttps
                       ? open_tls(address, tls, deadline)
                       : open_plain(address, deadline);
          }};
}

}  // namespace fairlead::http_client
