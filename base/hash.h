// Hashes for names that only have to be stable and well spread; never for security.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fairlead {

// FNV-1a, 64 bits, with the murmur3 finaliser (fmix64) so that short, similar inputs spread over
// all bits. For text that comes in parts, and is perhaps known when the program is compiled.
class Fnv1a {
 public:
  constexpr explicit Fnv1a(std::uint64_t seed = 0) : state_(0xcbf29ce484222325ULL ^ seed) {}

  constexpr Fnv1a& add(std::string_view text) {
    for (const char c : text) {
      state_ ^= static_cast<unsigned char>(c);
      state_ *= 0x100000001b3ULL;
    }
    return *this;
  }

  constexpr std::uint64_t value() const {
    std::uint64_t hash = state_;
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdULL;
    hash ^= hash >> 33;
    hash *= 0xc4ceb9fe1a85ec53ULL;
    return hash ^ (hash >> 33);
  }

 private:
  std::uint64_t state_;
};
inline std::uint64_t fnv1a(std::string_view text, std::uint64_t seed = 0) {
  return Fnv1a(seed).add(text).value();
}

// The first `digits` (at most 32) hex digits of a 128-bit hash of `text`.
std::string hash_hex(std::string_view text, unsigned digits);

// 64 random bits of getrandom(2). (std::random_device asks the processor what it can do, for which a
// virtual machine is left: 20 us.)
std::uint64_t random_word();

// `digits` random hex digits from getrandom(2): ids of networks and volumes (64 digits, like
// Docker's).
std::string random_hex(unsigned digits);

}  // namespace fairlead
