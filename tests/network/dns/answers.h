// Answers as other servers write them, byte by byte.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "network/dns/scan.h"

namespace fairlead::dns::tests {

enum class Section : std::uint8_t { kAnswer, kAuthority, kAdditional };

// One record; its owner is the name of the question (a pointer to it).
struct Record {
  std::uint16_t type = 1;  // A
  std::uint32_t ttl = 60;
  Message data{192, 0, 2, 1};
  Section section = Section::kAnswer;
};

inline void put(Message& into, std::uint32_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i)
    into.push_back(static_cast<std::uint8_t>(number >> (8 * i) & 0xff));
}

// An SOA with that minimum, in the authority section.
inline Record soa(std::uint32_t ttl, std::uint32_t minimum) {
  Message data{0, 0};
  for (const std::uint32_t number : {1U, 2U, 3U, 4U, minimum}) put(data, number, 4);
  return {.type = 6, .ttl = ttl, .data = data, .section = Section::kAuthority};
}

// The answer to a query: its id and question, and its EDNS.
inline Message answer(std::span<const std::uint8_t> query, std::vector<Record> records,
                      Rcode rcode = Rcode::kNoError, std::uint16_t flags = 0) {
  const auto asked = scan(query);
  Scan without = *asked;
  without.edns.reset();
  Message message = bare_answer(without, rcode, flags);
  for (std::size_t section = 0; section < 3; ++section)
    for (const Record& record : records) {
      if (static_cast<std::size_t>(record.section) != section) continue;
      put(message, 0xc00c, 2);
      put(message, record.type, 2);
      put(message, 1, 2);
      put(message, record.ttl, 4);
      put(message, static_cast<std::uint32_t>(record.data.size()), 2);
      message.insert(message.end(), record.data.begin(), record.data.end());
      ++message[7 + 2 * section];
    }
  if (!asked->edns) return message;
  put(message, 0, 1);
  put(message, 41, 2);    // OPT
  put(message, 1232, 2);  // the size that it takes
  put(message, 0, 4);
  put(message, 0, 2);
  ++message[11];
  return message;
}

}  // namespace fairlead::dns::tests
