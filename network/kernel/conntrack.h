// Connection tracking entries: forgotten when a UDP port changes its owner, or clients talk to the
// old one for minutes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::kernel {

struct FlowFilter {
  std::uint8_t proto = 17;
  std::optional<IpAddress> destination;   // original destination address
  std::uint16_t destination_port = 0;     // original destination port, host order; 0 = any
  std::optional<IpAddress> reply_source;  // address of the container behind the NAT
};

class Conntrack {
 public:
  virtual ~Conntrack() = default;
  // Deletes the entries that match any of the filters and returns how many. One walk through the
  // table of the kernel for each filter (up to 8), or one for all. Thread-safe.
  virtual Result<std::size_t> forget(std::span<const FlowFilter> filters) = 0;
};

// Works in the network namespace of the calling thread at the time of this call. Opening it loads
// the kernel's module.
Result<std::unique_ptr<Conntrack>> open_conntrack();

}  // namespace fairlead::kernel
