// One connection over TCP, with or without TLS. Beast and Asio stay behind it: http_client.h does
// not show them.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "base/http_client/http_client.h"

namespace fairlead::http_client {

namespace asio = boost::asio;
namespace beast = boost::beast;

using Deadline = std::chrono::steady_clock::time_point;

// Each connection has an io_context of its own, which runs only within a call: the call starts an
// asynchronous operation and runs the context until the operation has ended or its deadline has
// passed. That is how a synchronous call gets a deadline from Beast. Only one thread at a time may
// use a connection; `interrupt` may be called from any thread.
class Connection {
 public:
  using Plain = beast::tcp_stream;
  using Tls = beast::ssl_stream<beast::tcp_stream>;

  // Connects. For https it also does the TLS handshake, which checks the server's certificate and
  // name.
  static Result<std::unique_ptr<Connection>> open(const ServerAddress& endpoint,
                                                  const TlsFiles& tls, Deadline deadline);

  // Runs one operation: `start(stream, done)` begins it on the plain or the TLS stream and has
  // `done(error, bytes)` called at its end. Past the deadline the connection is closed and the
  // error is beast::error::timeout.
  template <class Start>
  beast::error_code run(Deadline deadline, Start start) {
    beast::error_code outcome = asio::error::operation_aborted;
    const auto done = [&](beast::error_code error, std::size_t) { outcome = error; };
    plain().expires_at(deadline);
    if (tls_)
      start(*tls_, done);
    else
      start(*plain_, done);
    context_.restart();
    context_.run();
    return outcome;
  }

  // Closes the connection, which ends an operation that is waiting. May be called from any thread.
  void interrupt();
  // Whether an idle connection may be used again: false when the server has closed it, or has sent
  // something that nobody asked for.
  bool is_quiet();

  beast::flat_buffer& buffer() { return buffer_; }

 private:
  Connection() = default;
  Plain& plain() { return tls_ ? tls_->next_layer() : *plain_; }
  Status connect(const ServerAddress& endpoint, Deadline deadline);
  Status shake_hands(const ServerAddress& endpoint, const TlsFiles& files, Deadline deadline);

  asio::io_context context_{1};
  std::optional<asio::ssl::context> tls_context_;
  std::unique_ptr<Plain> plain_;
  std::unique_ptr<Tls> tls_;
  beast::flat_buffer buffer_;  // bytes that were read and belong to the next response
};

}  // namespace fairlead::http_client
