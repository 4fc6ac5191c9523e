// Parses the bytes of one connection into requests (RFC 9112). Pure: no socket, no clock. Fuzzed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "plugin-api/http/message.h"

namespace fairlead::http {

struct ReaderLimits {
  std::size_t header_bytes = 16 << 10;
  std::size_t body_bytes = 2 << 20;
};

// Why a request was refused: the HTTP status of the response that is sent before the connection is
// closed, and a text for people.
struct Refusal {
  int status = 400;
  std::string text;
};

// Takes bytes as they arrive and returns complete requests. Not thread-safe. Bodies are sent with
// Content-Length or in chunks; memory is bounded by the limits.
class RequestReader {
 public:
  enum class State {
    kMore,  // the request is not complete yet
    // the same, and the client waits for "100 Continue" before it sends the body (returned once)
    kContinue,
    kComplete,  // take() has a request
    kRefused,   // see refusal(); nothing more can be read from this connection
  };

  explicit RequestReader(ReaderLimits limits);
  ~RequestReader();
  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;

  // Adds bytes and continues parsing. After take(), feed({}) parses what followed the request
  // (pipelining).
  State feed(std::string_view bytes);
  // The complete request, without its peer. The reader is then ready for the next one.
  Request take();
  // Whether the client wants the connection kept open after the request that take() returned last.
  bool keep_alive() const;
  // Whether no byte of a next request has arrived.
  bool idle() const;
  // The memory that the body of an unfinished or complete request takes.
  std::size_t body_memory() const;
  const Refusal& refusal() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace fairlead::http
