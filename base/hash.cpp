#include "base/hash.h"

#include <fmt/format.h>
#include <sys/random.h>

namespace fairlead {

std::string hash_hex(std::string_view text, unsigned digits) {
  return fmt::format("{:016x}{:016x}", fnv1a(text), fnv1a(text, 0x9e3779b97f4a7c15ULL))
      .substr(0, digits);
}

std::uint64_t random_word() {
  std::uint64_t word = 0;
  while (getrandom(&word, sizeof word, 0) != sizeof word) {
  }
  return word;
}

std::string random_hex(unsigned digits) {
  std::string hex;
  while (hex.size() < digits) hex += fmt::format("{:016x}", random_word());
  return hex.substr(0, digits);
}

}  // namespace fairlead
