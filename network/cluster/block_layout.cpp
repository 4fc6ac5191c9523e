#include "network/cluster/block_layout.h"

#include <algorithm>

#include "base/hash.h"

namespace fairlead::network::cluster {

namespace {

constexpr unsigned kLeastBits = 10;     // /22: smaller areas have no blocks
constexpr unsigned kLargeBits = 14;     // /18: blocks of 64 addresses from here on
constexpr unsigned kHugeBits = 24;      // in larger areas the blocks grow with the area
constexpr unsigned kMostHugeBits = 16;  // there are 2^16 blocks in such an area

unsigned width(const Cidr& cidr) { return cidr.is_v4() ? 32 : 128; }
unsigned host_bits(const Cidr& cidr) { return width(cidr) - cidr.prefix_length(); }

unsigned block_bits(const Cidr& area) {
  const unsigned bits = host_bits(area);
  if (!area.is_v4() && bits > kHugeBits) return bits - kMostHugeBits;
  return bits >= kLargeBits ? 6 : 4;
}

void split(const Cidr& part, const std::vector<IpAddress>& excluded, std::vector<Cidr>& found) {
  const bool whole = std::ranges::none_of(
      excluded, [&](const IpAddress& address) { return part.contains(address); });
  if (whole) {
    found.push_back(part);
    return;
  }
  if (host_bits(part) == 0) return;
  const unsigned length = part.prefix_length() + 1;
  const std::uint64_t half = std::uint64_t{1} << (width(part) - length);
  split(Cidr::of(part.first(), length), excluded, found);
  split(Cidr::of(*part.first().plus(half), length), excluded, found);
}

}  // namespace

Cidr allocation_area(const Subnet& subnet) {
  const Cidr area = subnet.range.value_or(subnet.subnet).network();
  if (area.is_v4() || area.prefix_length() >= 64) return area;
  return Cidr::of(area.first(), 64);
}

bool has_blocks(const Cidr& area) { return host_bits(area) >= kLeastBits; }

unsigned block_length(const Cidr& area) { return width(area) - block_bits(area); }

std::uint64_t block_count(const Cidr& area) {
  return std::uint64_t{1} << (block_length(area) - area.prefix_length());
}

Cidr block_of(const Cidr& area, const IpAddress& address) {
  return Cidr::of(address, block_length(area)).network();
}

std::optional<Cidr> free_block(const Cidr& area, std::string_view seed,
                               const std::set<IpAddress>& taken) {
  const std::uint64_t count = block_count(area), start = fnv1a(seed) % count;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto base = area.first().plus(((start + i) % count) << block_bits(area));
    if (base && !taken.contains(*base)) return Cidr::of(*base, block_length(area));
  }
  return std::nullopt;
}

std::vector<IpAddress> reserved_addresses(const Subnet& subnet) {
  std::vector<IpAddress> reserved;
  if (subnet.gateway) reserved.push_back(*subnet.gateway);
  for (const auto& [name, address] : subnet.aux) reserved.push_back(address);
  if (subnet.subnet.size() > 2) {
    reserved.push_back(subnet.subnet.first());
    if (subnet.subnet.is_v4()) reserved.push_back(subnet.subnet.last());
  }
  return reserved;
}

std::vector<Cidr> without(const Cidr& block, const std::vector<IpAddress>& excluded) {
  std::vector<Cidr> found;
  split(block, excluded, found);
  return found;
}

}  // namespace fairlead::network::cluster
