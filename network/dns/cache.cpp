#include "network/dns/cache.h"

#include <algorithm>
#include <utility>

namespace fairlead::dns {

namespace {

using std::chrono::seconds;

constexpr seconds kShortest{5}, kLongest{86'400}, kLongestDenial{300}, kFailure{2};
constexpr std::size_t kOverhead = 160;  // of the nodes of a list and a map, about

// How long it is kept; std::nullopt: not at all.
std::optional<seconds> time_to_keep(const AnswerShape& shape) {
  if (shape.truncated) return std::nullopt;
  if (shape.rcode == Rcode::kServFail) return kFailure;
  if (shape.rcode != Rcode::kNoError && shape.rcode != Rcode::kNxDomain) return std::nullopt;
  if (!shape.lifetime || *shape.lifetime == seconds::zero()) return std::nullopt;
  return std::clamp(*shape.lifetime, kShortest, shape.negative ? kLongestDenial : kLongest);
}

}  // namespace

std::size_t AnswerCache::Entry::bytes() const {
  return kOverhead + key.size() + answer.size() + ttls.size() * sizeof(std::uint32_t);
}

std::optional<Message> AnswerCache::find(std::string_view key, const PassedOn& query,
                                         Clock::time_point now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  const auto entry = found->second;
  if (entry->until <= now) {
    erase(entry);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  Message answer = entry->answer;
  const auto age =
      static_cast<std::uint32_t>(std::chrono::duration_cast<seconds>(now - entry->since).count());
  for (const std::uint32_t at : entry->ttls) {
    const std::uint32_t ttl = ttl_at(answer, at);
    set_ttl_at(answer, at, ttl > age ? ttl - age : 0);
  }
  readdress(answer, query);
  return answer;
}

void AnswerCache::keep(std::string key, Message answer, Clock::time_point now) {
  auto shape = read_shape(answer);
  const auto time = shape ? time_to_keep(*shape) : std::nullopt;
  if (!time) return;
  if (const auto old = by_key_.find(key); old != by_key_.end()) erase(old->second);
  answer.resize(shape->size);
  answer.shrink_to_fit();
  Entry entry{.key = std::move(key),
              .answer = std::move(answer),
              .ttls = std::move(shape->ttls),
              .since = now,
              .until = now + *time};
  if (entry.bytes() > limits_.bytes) return;
  entries_.push_front(std::move(entry));
  by_key_.emplace(entries_.front().key, entries_.begin());
  bytes_ += entries_.front().bytes();
  while (entries_.size() > limits_.entries || bytes_ > limits_.bytes)
    erase(std::prev(entries_.end()));
}

void AnswerCache::clear() {
  by_key_.clear();
  entries_.clear();
  bytes_ = 0;
}

void AnswerCache::erase(Entries::iterator entry) {
  bytes_ -= entry->bytes();
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace fairlead::dns
