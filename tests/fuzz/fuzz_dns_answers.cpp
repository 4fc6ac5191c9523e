// What others' name servers answer, and what of a query they are sent: the bytes as a query, as an answer to it and as one
// that is kept.
//
// Input: two bytes are the length of the query, the rest is the answer.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "network/dns/cache.h"
#include "network/dns/message.h"
#include "network/dns/records.h"

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::dns;
  if (size < 2) return 0;
  const std::span<const std::uint8_t> rest(data + 2, size - 2);
  const std::size_t length = std::min(std::size_t{data[0]} << 8 | data[1], rest.size());
  const auto query = rest.first(length);
  Message answer(rest.begin() + static_cast<std::ptrdiff_t>(length), rest.end());
  const auto shape = read_shape(answer);
  if (shape) {
    must(shape->size <= answer.size());
    for (const std::uint32_t at : shape->ttls) must(at + 4 <= shape->size);
  }
  (void)answers(query, answer);
  const auto passed = pass_on(query);
  if (!passed) return 0;
  must(passed->message.size() <= 512);
  must(pass_on(passed->message)->message == passed->message);
  // As if it were the answer: a keeper takes what answers() has let through.
  set_id(answer = answer.size() < kHeaderSize ? Message(kHeaderSize) : answer, 0);
  if (!answers(passed->message, answer)) return 0;
  AnswerCache cache({.entries = 2, .bytes = 4096});
  const auto now = AnswerCache::Clock::now();
  cache.keep("key", answer, now);
  const auto kept = cache.find("key", *passed, now + std::chrono::seconds(1));
  if (!kept) return 0;
  must(read_shape(*kept).has_value());
  must(shortened(*kept, 512).size() <= 512);
  must(cache.bytes() <= 4096);
  return 0;
}
