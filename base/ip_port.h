// An address and a port, as a server listens on them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead {

struct IpPort {
  IpAddress address;
  std::uint16_t port = 0;  // never 0 in one that was parsed

  // Accepts "127.0.0.1:7780" and "[::1]:7780". No name: what it stands for may change.
  static Result<IpPort> parse(std::string_view text);
  std::string to_string() const;

  bool operator==(const IpPort&) const = default;
};

}  // namespace fairlead
