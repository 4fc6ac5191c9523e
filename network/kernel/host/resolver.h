// Asks the host's name servers (/etc/resolv.conf) for the addresses of a name: both families, behind every CNAME.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::kernel {

struct ResolvedName {
  std::vector<IpAddress> addresses;  // sorted; empty: the name is there and has none
  std::chrono::seconds ttl{0};       // the smallest of all records on the way

  bool operator==(const ResolvedName&) const = default;
};

// Thread-safe.
class Resolver {
 public:
  virtual ~Resolver() = default;
  // kNotFound: there is no such name. kUnavailable: no server has answered within some seconds.
  virtual Result<ResolvedName> resolve(const std::string& name) = 0;
};

std::unique_ptr<Resolver> make_resolver();

// One answer of a server (RFC 1035), of the class IN: adds its addresses, and takes its TTL if that is smaller.
// kInvalid for what is no answer.
Status read_answer(std::span<const std::uint8_t> message, ResolvedName& into);

}  // namespace fairlead::kernel
