// Messages of the DNS for tests, written and read by ldns, so that what is tested is not held against itself.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "network/dns/responder.h"

namespace fairlead::dns::tests {

struct Asked {
  std::string type = "A", klass = "IN";
  std::uint16_t id = 0x1234;
  bool rd = true, cd = false;
  unsigned opcode = 0;
  // EDNS: UDP size in bytes; 0: none.
  std::uint16_t udp_size = 0;
  bool dnssec_ok = false;
  std::uint8_t edns_version = 0;
};

// A query for the name, in presentation format (RFC 1035 section 5.1), in its case.
Message query(const std::string& name, const Asked& asked = {});

// What a message says.
struct Read {
  bool valid = false;  // ldns could read all of it, and nothing is behind it
  std::uint16_t id = 0;
  std::string rcode;                                           // "NOERROR"
  std::string flags;                                           // "qr aa rd ra", those that are set
  std::string question;                                        // "Web.shop. IN A", empty: none
  std::vector<std::string> answers, authorities, additionals;  // "web. 0 IN A 10.0.0.2"
  std::string edns;  // "version 0 size 1232 do", empty: none

  bool operator==(const Read&) const = default;
};
Read read(std::span<const std::uint8_t> message);

// The same from a text of hex digits and blanks.
Message bytes(std::string_view hex);

}  // namespace fairlead::dns::tests
