// One connection over TCP, with or without TLS. Beast and Asio stay behind it: http_client.h does
// not show them.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
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
  // Connects. For https it also does the TLS handshake, which checks the server's certificate and
  // name.
  static Result<std::unique_ptr<Connection>> open(const ServerAddress& endpoint,
                                                  const TlsFiles& tls, Deadline deadline);

  // For all that follows until the next call. Past it the connection is closed, and the error is
  // beast::error::timeout.
  void set_deadline(Deadline deadline) { deadline_ = deadline; }

  // Sends all of it.
  beast::error_code write(std::string_view bytes);
  // A SyncReadStream of Beast's: waits until at least one byte has come.
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, beast::error_code& error) {
    return read(asio::mutable_buffer(*asio::buffer_sequence_begin(buffers)), error);
  }
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers) {
    beast::error_code error;
    const std::size_t size = read_some(buffers, error);
    if (error) throw beast::system_error(error);
    return size;
  }

  // Closes the connection, which ends an operation that is waiting. May be called from any thread.
  void interrupt();
  // Whether an idle connection may be used again: false when the server has closed it, or has sent
  // something that nobody asked for.
  bool is_quiet();

  beast::flat_buffer& buffer() { return buffer_; }

 private:
  using Plain = beast::basic_stream<asio::ip::tcp, asio::io_context::executor_type>;
  using Tls = asio::ssl::stream<Plain>;

  Connection() = default;
  Plain& plain() { return tls_ ? tls_->next_layer() : *plain_; }
  Status connect(const ServerAddress& endpoint);
  Status shake_hands(const ServerAddress& endpoint, const TlsFiles& files);
  std::size_t read(asio::mutable_buffer into, beast::error_code& error);
  // Runs what was begun on the stream until it has ended or the deadline has passed.
  void run();

  asio::io_context context_{1};
  std::optional<asio::ssl::context> tls_context_;
  std::unique_ptr<Plain> plain_;
  std::unique_ptr<Tls> tls_;
  Deadline deadline_;
  beast::flat_buffer buffer_;  // bytes that were read and belong to the next response
};

}  // namespace fairlead::http_client
