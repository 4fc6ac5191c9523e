// One connection, over whatever carries bytes. Beast and Asio stay behind it: http_client.h does
// not show them.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <utility>

#include "base/http_client/http_client.h"

namespace fairlead::http_client {

namespace asio = boost::asio;
namespace beast = boost::beast;

// Each connection has an io_context of its own, which runs only within a call: the call starts an
// asynchronous operation and runs the context until the operation has ended or its deadline has
// passed. That is how a synchronous call gets a deadline from Beast. Only one thread at a time may
// use a connection; `interrupt` may be called from any thread.
class Connection {
 public:
  virtual ~Connection() = default;

  // For all that follows until the next call. Past it the connection is closed, and the error is
  // beast::error::timeout.
  void set_deadline(Deadline deadline) { deadline_ = deadline; }

  // Sends all of it.
  virtual beast::error_code write(std::string_view bytes) = 0;
  // Waits until at least one byte has come.
  virtual std::size_t read(asio::mutable_buffer into, beast::error_code& error) = 0;

  // A SyncReadStream of Beast's, over read().
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
  virtual void interrupt() = 0;
  // Whether an idle connection may be used again: false when the server has closed it, or has sent
  // something that nobody asked for.
  bool is_quiet();

  beast::flat_buffer& buffer() { return buffer_; }

 protected:
  virtual int native_handle() = 0;
  // Runs what was begun on the stream until it has ended or the deadline has passed.
  void run() {
    context_.restart();
    context_.run();
  }

  asio::io_context context_{1};
  Deadline deadline_;

 private:
  beast::flat_buffer buffer_;  // bytes that were read and belong to the next response
};

template <class Protocol>
using PlainStream = beast::basic_stream<Protocol, asio::io_context::executor_type>;

// `Stream`: a PlainStream, or one of TLS over it.
template <class Stream>
class StreamConnection : public Connection {
 public:
  template <class... Arguments>
  explicit StreamConnection(Arguments&&... arguments)
      : stream_(context_, std::forward<Arguments>(arguments)...) {}

  beast::error_code write(std::string_view bytes) override {
    beast::error_code error = asio::error::operation_aborted;
    plain().expires_at(deadline_);
    asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()),
                      [&](beast::error_code ended, std::size_t) { error = ended; });
    run();
    return error;
  }

  std::size_t read(asio::mutable_buffer into, beast::error_code& error) override {
    std::size_t size = 0;
    error = asio::error::operation_aborted;
    plain().expires_at(deadline_);
    stream_.async_read_some(
        into, [&](beast::error_code ended, std::size_t read) { error = ended, size = read; });
    run();
    return size;
  }

  void interrupt() override {
    asio::post(context_, [this] { plain().close(); });
  }

 protected:
  auto& plain() { return beast::get_lowest_layer(stream_); }
  int native_handle() override { return plain().socket().native_handle(); }

  Stream stream_;
};

}  // namespace fairlead::http_client
