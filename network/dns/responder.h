// What one query gets: an answer out of the names of containers, or the way to other servers. Pure: no sockets, no
// clock.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ip.h"

namespace fairlead::dns {

using Message = std::vector<std::uint8_t>;  // in the wire format (RFC 1035 section 4)

struct Query {
  std::span<const std::uint8_t> message;
  IpAddress client;          // its source address
  std::string_view network;  // the id of the network at whose gateway it was asked
};

// Others know it, if anybody does.
struct Forward {
  std::vector<IpAddress> servers{};  // the container's or the network's; empty: the host's

  bool operator==(const Forward&) const = default;
};
// No query: it gets no answer, so that nobody can be made to answer answers.
struct Ignore {
  bool operator==(const Ignore&) const = default;
};
using Reply = std::variant<Message, Forward, Ignore>;

// Thread-safe.
class Responder {
 public:
  virtual ~Responder() = default;
  // A Message is complete, whatever its size: whoever sends it shortens it to what the way allows (message.h).
  virtual Reply answer(const Query& query) = 0;
};

}  // namespace fairlead::dns
