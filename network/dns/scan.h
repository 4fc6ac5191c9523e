// What a message says before and behind its records: header, question and EDNS. Pure; takes bytes from anybody, looks at
// each once and follows no pointers of compressed names (ldns follows 65535 of them for one name).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "network/dns/responder.h"

namespace fairlead::dns {

// RFC 1035 section 4.1.1, RFC 6895 section 2.3.
enum class Rcode : std::uint16_t {
  kNoError = 0,
  kFormErr = 1,
  kServFail = 2,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5,
  kBadVers = 16,
};

// The flags of a header (RFC 1035 section 4.1.1, RFC 4035 section 3.2).
inline constexpr std::uint16_t kFlagQr = 0x8000, kFlagAa = 0x0400, kFlagTc = 0x0200,
                               kFlagRd = 0x0100, kFlagRa = 0x0080, kFlagCd = 0x0010;
inline constexpr std::uint16_t kOpcodeBits = 0x7800;
inline constexpr std::size_t kHeaderSize = 12;
// Bytes that we take over UDP, as our EDNS says, and the most that we send over it: nothing of it is ever in two fragments
// (RFC 9715).
inline constexpr std::uint16_t kOwnUdpSize = 1232;

struct Question {
  // Each label behind its length, without the root's: at most 254 bytes, in the case in which it was asked.
  std::string name;
  std::uint16_t type = 0, klass = 0;

  bool operator==(const Question&) const = default;
};

// The record OPT (RFC 6891 section 6.1.2).
struct Edns {
  std::uint16_t udp_size = 0;  // bytes
  std::uint8_t extended_rcode = 0, version = 0;
  bool dnssec_ok = false;

  bool operator==(const Edns&) const = default;
};

struct Scan {
  std::uint16_t id = 0, flags = 0;
  std::uint16_t questions = 0, answers = 0, authorities = 0,
                additionals = 0;     // as the header counts
  std::optional<Question> question;  // where there is exactly one
  std::optional<Edns> edns;
  // Everything that the header counts is there, and there are not two OPT (RFC 6891 section 6.1.1). Bytes behind it do not
  // matter.
  bool whole = false;

  bool is_query() const { return (flags & kFlagQr) == 0; }
  unsigned opcode() const { return (flags & kOpcodeBits) >> 11; }
};

// std::nullopt: it is shorter than a header.
std::optional<Scan> scan(std::span<const std::uint8_t> message);

// The answer to what was scanned, without records: its id, its question as far as there is one, EDNS where it has EDNS. The
// flags are QR, RA, those of the query that answers repeat, and `flags`.
Message bare_answer(const Scan& query, Rcode rcode, std::uint16_t flags = 0);

}  // namespace fairlead::dns
