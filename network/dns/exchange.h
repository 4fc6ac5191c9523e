// One question to one server, and its answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "base/result.h"
#include "network/dns/loop.h"
#include "network/dns/responder.h"
#include "network/dns/upstreams.h"

namespace fairlead::dns {

enum class Transport : std::uint8_t { kDatagram, kStream };

// From a socket of its own, and so from a port that the kernel has chosen by chance, with an id that is chosen by chance.
// What comes from another address or port, or answers something else, is not taken (RFC 5452 sections 3 and 4). It is over
// when this is gone; who asked decides how long he waits.
class Exchange {
 public:
  // Called once, from the loop: the answer, or nothing, when the server cannot be reached. An answer to the question may also be
  // a header alone, with an error: of servers that cannot read it. The exchange may be destroyed in it.
  using Done = std::function<void(std::optional<Message> answer)>;

  virtual ~Exchange() = default;
};

// `question`: a whole query; its id is not used.
Result<std::unique_ptr<Exchange>> start_exchange(Loop& loop, const Upstream& server,
                                                 Transport transport,
                                                 std::span<const std::uint8_t> question,
                                                 Exchange::Done done);

}  // namespace fairlead::dns
