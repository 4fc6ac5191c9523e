#include "network/ipam/subnets.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/hash.h"

namespace fairlead::network {

namespace {

Cidr literal(std::string_view text) { return Cidr::parse_subnet(text).value(); }

std::vector<Cidr> default_bases(Family family, const Cidr& own) {
  if (family == Family::kV6) return {own};
  return {literal("10.208.0.0/12"), literal("172.24.0.0/13")};
}

// The first subnet of that size that begins at or after `address`.
std::optional<Cidr> aligned_from(const IpAddress& address, unsigned prefix_length) {
  const Cidr around = Cidr::of(address, prefix_length).network();
  if (around.first() == address) return around;
  const auto behind = around.last().plus(1);
  if (!behind) return std::nullopt;
  return Cidr::of(*behind, prefix_length);
}

}  // namespace

std::optional<Cidr> first_free_subnet(const Cidr& base, unsigned prefix_length,
                                      std::span<const Cidr> taken) {
  if (prefix_length < base.prefix_length()) return std::nullopt;
  std::vector<Cidr> sorted(taken.begin(), taken.end());
  std::erase_if(sorted, [&](const Cidr& one) { return !one.overlaps(base); });
  for (Cidr& one : sorted) one = one.network();
  std::ranges::sort(sorted);
  Cidr candidate = Cidr::of(base.first(), prefix_length);
  for (const Cidr& one : sorted) {
    if (one.last() < candidate.first()) continue;
    if (one.first() > candidate.last()) break;  // the others begin later still
    const auto behind = one.last().plus(1);
    const auto next = behind ? aligned_from(*behind, prefix_length) : std::nullopt;
    if (!next || !base.contains(*next)) return std::nullopt;
    candidate = *next;
  }
  return candidate;
}

Cidr ula_prefix(std::string_view seed) {
  const std::uint64_t hash = fnv1a(seed);
  std::array<std::uint8_t, 16> bytes{0xfd};
  for (unsigned i = 1; i <= 5; ++i) bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return Cidr::of(IpAddress::from_bytes(Family::kV6, bytes), 48);
}

Result<Cidr> choose_subnet(Family family, std::optional<unsigned> prefix_length, const Cidr& own,
                           std::span<const Cidr> taken) {
  const bool v4 = family == Family::kV4;
  const unsigned length = prefix_length.value_or(v4 ? 24 : 64);
  const auto bases = default_bases(family, own);
  const unsigned least = bases.front().prefix_length(), most = v4 ? 30 : 126;
  if (length < least || length > most)
    return fail(
        Code::kInvalid,
        "no subnet with prefix length {} can be chosen; ask for {} to {}, or give the subnet",
        length, least, most);
  for (const Cidr& base : bases)
    if (const auto found = first_free_subnet(base, length, taken)) return *found;
  return fail(Code::kExhausted,
              "no free /{} is left in {}{}; remove networks that are not needed, or give the "
              "network a subnet",
              length, bases.front().to_string(),
              bases.size() > 1 ? " and " + bases.back().to_string() : "");
}

}  // namespace fairlead::network
