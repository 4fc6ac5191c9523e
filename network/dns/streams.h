// Queries over TCP at one address (RFC 7766): several on one connection, at the same time, answered in any order.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "network/dns/front.h"
#include "network/dns/loop.h"

namespace fairlead::dns {

struct StreamLimits {
  // Of connections. Each client may have as many as are still free, `of_client` at most, so that there is always room for
  // another. A new one takes the place of the one that has been idle for the longest time: of its client's, where that has as many as
  // it may have.
  std::size_t all = 256, of_client = 16;
  std::size_t query_bytes = 4096;
  std::size_t outstanding = 16;  // queries of one connection, until no more are read
  std::size_t answer_bytes =
      128 << 10;  // that one connection has not taken; it is closed when there are more
  // Between a query and the next, and for all of a query: the bytes of one that is not whole count for nothing.
  std::chrono::milliseconds idle{5000};
};

// The connections of all addresses. It outlives the sockets.
class StreamService;

// Accepts connections as long as it is there, and ends those that were made here.
class StreamSocket {
 public:
  virtual ~StreamSocket() = default;
};

std::shared_ptr<StreamService> make_stream_service(Loop& loop, StreamLimits limits = {});
// How many connections there are.
std::size_t connections(const StreamService& service);
// `fd` listens and does not block.
Result<std::unique_ptr<StreamSocket>> serve_streams(std::shared_ptr<StreamService> service,
                                                    UniqueFd fd, Front& front);

}  // namespace fairlead::dns
