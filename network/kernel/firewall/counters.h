// The elements of sets that count packets.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "network/kernel/firewall/firewall.h"

namespace fairlead::kernel {

struct CountedElement {
  ElementBytes key;
  std::uint64_t packets = 0, bytes = 0;
};

// NFT_MSG_NEWSETELEM: appends the elements that have a counter, whose keys have so many fields. Pure;
// any bytes are safe to read.
Status parse_counted(std::span<const std::uint8_t> message, unsigned key_fields,
                     std::vector<CountedElement>& into);

// Reads one table of the network namespace in which it first reads. Thread-safe.
class ElementCounters {
 public:
  virtual ~ElementCounters() = default;
  // One dump. kNotFound when there is no such table or set.
  virtual Result<std::vector<CountedElement>> read(std::string_view set, unsigned key_fields) = 0;
};

// Opens its socket at the first reading, and keeps it (socket.h).
std::unique_ptr<ElementCounters> make_element_counters(TableName table);

}  // namespace fairlead::kernel
