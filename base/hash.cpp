#include "base/hash.h"

#include <fmt/format.h>
#include <sys/random.h>

namespace fairlead {

std::uint64_t fnv1a(std::string_view text, std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ seed;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53ULL;
  return hash ^ (hash >> 33);
}

std::string hash_hex(std::string_view text, unsigned digits) {
  return fmt::format("{:016x}{:016x}", fnv1a(text), fnv1a(text, 0x9e3779b97f4a7c15ULL))
      .substr(0, digits);
}

std::string random_hex(unsigned digits) {
  std::string hex;
  while (hex.size() < digits) {
    std::uint64_t word = 0;
    if (getrandom(&word, sizeof word, 0) != sizeof word) continue;
    hex += fmt::format("{:016x}", word);
  }
  return hex.substr(0, digits);
}

}  // namespace fairlead
