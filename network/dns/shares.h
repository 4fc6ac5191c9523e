// Who gets how much of a server that is asked more than it can answer. Pure: its clock is the caller's. Not thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/ip.h"

namespace fairlead::dns {

// Counts the queries of each client in short turns. When more waits than is answered in a turn, those who ask more than their
// part of it are not answered in the next one; who asks less gets all of its answers. Clients are told apart by a hash that
// nobody outside knows, into as many places as there are here; memory does not grow.
class ClientShares {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kTurn{20};

  ClientShares();

  // Whether this query is answered.
  bool admit(const IpAddress& client, Clock::time_point now);
  // There were more datagrams than are read at once.
  void crowded() { crowded_ = true; }

 private:
  static constexpr std::size_t kPlaces = 1024;
  static constexpr std::uint32_t kLeast = 16;  // queries in a turn that are always answered

  void next_turn(Clock::time_point now);

  const std::uint64_t seed_;
  Clock::time_point turn_end_{};
  std::array<std::uint32_t, kPlaces> counts_{};
  std::uint32_t clients_ = 0, answered_ = 0;
  bool crowded_ = false;
  std::optional<std::uint32_t> limit_;
};

}  // namespace fairlead::dns
