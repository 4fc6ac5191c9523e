#include "network/dns/shares.h"

#include <algorithm>
#include <string_view>

#include "base/hash.h"

namespace fairlead::dns {

ClientShares::ClientShares() : seed_(random_word()) {}

bool ClientShares::admit(const IpAddress& client, Clock::time_point now) {
  if (now >= turn_end_) next_turn(now);
  const auto bytes = client.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::uint32_t& count = counts_[fnv1a(text, seed_) % kPlaces];
  if (count++ == 0) ++clients_;
  if (limit_ && count > *limit_) return false;
  ++answered_;
  return true;
}

// One client alone may have everything.
void ClientShares::next_turn(Clock::time_point now) {
  const bool share = crowded_ && clients_ > 1;
  limit_ = share ? std::optional(std::max(kLeast, answered_ / clients_)) : std::nullopt;
  counts_.fill(0);
  clients_ = answered_ = 0;
  crowded_ = false;
  turn_end_ = now + kTurn;
}

}  // namespace fairlead::dns
