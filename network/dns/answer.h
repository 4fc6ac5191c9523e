// What is answered, and its bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "network/dns/responder.h"
#include "network/dns/scan.h"

namespace fairlead::dns {

// RFC 2782.
struct ServiceRecord {
  std::uint16_t port = 0;
  std::string target;                // a key (name.h)
  std::vector<IpAddress> addresses;  // of the target: additional records

  bool operator==(const ServiceRecord&) const = default;
};

// All records but additional ones are of the question's name.
struct Answer {
  Rcode rcode = Rcode::kNoError;
  std::vector<IpAddress> addresses;   // A, AAAA
  std::vector<std::string> pointers;  // PTR: keys
  std::vector<ServiceRecord> services;
  // The key of the zone that does not have what was asked for (RFC 2308 section 3).
  std::optional<std::string> authority;
  bool is_authority = false;  // what was asked for is its SOA

  bool operator==(const Answer&) const = default;
};

// Seconds. Nobody keeps an address that is another container's the next moment, nor that there is no container
// of a name (RFC 2308 section 5: the SOA's TTL and its MINIMUM).
inline constexpr std::uint32_t kTtl = 0;

// The answer in the wire format: authoritative unless it is a failure, names compressed. `query` has a question. SERVFAIL without records if it would be
// longer than a message can be, or memory is short.
Message wire_of(const Answer& answer, const Scan& query);

}  // namespace fairlead::dns
