// The records of an answer, as far as one who passes it on and keeps it needs them; and the query that he asks with. Pure;
// takes bytes from anybody, looks at each once and follows no pointers of compressed names.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "network/dns/responder.h"
#include "network/dns/scan.h"

namespace fairlead::dns {

// A query of a client as other servers are asked: what does not change the answer is left out, so that one answer serves all
// who ask the same.
struct PassedOn {
  std::uint16_t id = 0;  // of the client
  Question question;     // in the client's case
  bool edns = false;
  // What is sent: with the id 0 and the name in lower case. Of the header it keeps RD, AD and CD (RFC 1035, RFC 6840 section
  // 5.7, RFC 4035 section 3.2.2), of EDNS that it is there and DO. EDNS options belong to one hop (RFC 6891 section 6.2.6).
  Message message;
};
// std::nullopt: it is no query that can be passed on as one question and one answer: none or several questions, another
// opcode, records that are cut off, a transfer of a zone (RFC 5936).
std::optional<PassedOn> pass_on(std::span<const std::uint8_t> query);

// Takes EDNS out of PassedOn::message; false: there is none.
bool drop_edns(Message& passed_on);

// Whether `answer` is one to what was sent: id, opcode and the question byte by byte, with its case (RFC 5452 section 3).
bool answers(std::span<const std::uint8_t> sent, std::span<const std::uint8_t> answer);
// The id and the question of the client, in the place of those that were sent. `answer` has the same question in another case.
void readdress(Message& answer, const PassedOn& query);
void set_id(Message& message, std::uint16_t id);

struct AnswerShape {
  Rcode rcode = Rcode::kNoError;  // with the bits that are in EDNS
  bool truncated = false;
  // Where the TTLs are, but that of OPT, which is none (RFC 6891 section 6.1.3).
  std::vector<std::uint32_t> ttls{};
  // How long it is true: the smallest TTL of its answers. Without any, or where the one that was asked for is not among
  // them, what the SOA says about that (RFC 2308 section 5). std::nullopt: nothing says it.
  std::optional<std::chrono::seconds> lifetime{};
  bool negative = false;  // NXDOMAIN, or nothing of the type that was asked for
  std::size_t size = 0;   // the bytes up to the end of its last record
};
// std::nullopt: it is no message with one question, or not whole.
std::optional<AnswerShape> read_shape(std::span<const std::uint8_t> answer);

std::uint32_t ttl_at(const Message& message, std::uint32_t offset);
void set_ttl_at(Message& message, std::uint32_t offset, std::uint32_t ttl);

}  // namespace fairlead::dns
