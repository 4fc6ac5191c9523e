// What one query gets, whichever way it has come.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/ip.h"
#include "network/dns/exchange.h"
#include "network/dns/responder.h"

namespace fairlead::dns {

struct Asked {
  std::span<const std::uint8_t> message;
  IpAddress client;
  Transport transport = Transport::kDatagram;
};

class Front {
 public:
  using Answer = std::function<void(Message)>;

  virtual ~Front() = default;
  // The answer, where it is known at once. Otherwise `later()` is called now for what gets it, or it gets none. An answer fits
  // the way that the query has come, and is not empty.
  virtual std::optional<Message> ask(const Asked& asked, const std::function<Answer()>& later) = 0;
};

}  // namespace fairlead::dns
