// Hashes for names that only have to be stable and well spread; never for security.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fairlead {

// FNV-1a, 64 bits, with the murmur3 finaliser (fmix64) so that short, similar inputs spread over
// all bits.
std::uint64_t fnv1a(std::string_view text, std::uint64_t seed = 0);

// The first `digits` (at most 32) hex digits of a 128-bit hash of `text`.
std::string hash_hex(std::string_view text, unsigned digits);

// `digits` random hex digits from getrandom(2): ids of networks and volumes (64 digits, like
// Docker's).
std::string random_hex(unsigned digits);

}  // namespace fairlead
