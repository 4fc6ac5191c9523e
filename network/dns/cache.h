// Answers of other servers, for as long as they say that they are true. Pure: its clock is the caller's. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "network/dns/records.h"

namespace fairlead::dns {

struct CacheLimits {
  std::size_t entries = 10'000;
  std::size_t bytes = 8U << 20;  // of questions, answers and what finds them
};

// What was not asked for the longest time makes room for what is new.
class AnswerCache {
 public:
  using Clock = std::chrono::steady_clock;

  explicit AnswerCache(CacheLimits limits) : limits_(limits) {}

  // The answer for this client: with its id, the case of its question, and TTLs that have gone down since. `key` says what
  // was asked of whom.
  std::optional<Message> find(std::string_view key, const PassedOn& query, Clock::time_point now);
  // Keeps it if that is allowed: for its TTL, 5 seconds to a day, but not at all with a TTL of 0. What is denied is kept for
  // what the SOA says, 5 minutes at most, and not without one (RFC 2308). A server's failure (SERVFAIL) is kept for 2
  // seconds, so that one that is down is not asked without pause (RFC 2308 section 7.1). What is truncated is not kept.
  void keep(std::string key, Message answer, Clock::time_point now);
  void clear();

  std::size_t size() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string key;
    Message answer;
    std::vector<std::uint32_t> ttls;  // where they are
    Clock::time_point since, until;

    std::size_t bytes() const;
  };
  using Entries = std::list<Entry>;  // what was asked last is first

  void erase(Entries::iterator entry);

  const CacheLimits limits_;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> by_key_;  // of Entry::key
  std::size_t bytes_ = 0;
};

}  // namespace fairlead::dns
