#include "network/ipam/ranges.h"

#include <algorithm>

namespace fairlead::network {

AddressRange usable(const Cidr& subnet) {
  AddressRange all{subnet.first(), subnet.last()};
  if (subnet.size() <= 2) return all;
  all.first = *all.first.plus(1);
  if (subnet.is_v4()) all.last = *subnet.first().plus(subnet.size() - 2);
  return all;
}

Result<std::vector<AddressRange>> usable_ranges(const Cidr& subnet,
                                                const std::vector<Cidr>& ranges) {
  const AddressRange all = usable(subnet);
  if (ranges.empty()) return std::vector<AddressRange>{all};
  std::vector<AddressRange> found;
  for (const Cidr& range : ranges) {
    if (!subnet.contains(range))
      return fail(Code::kInvalid, "the range {} is not inside the subnet {}", range.to_string(),
                  subnet.to_string());
    const AddressRange part{std::max(range.first(), all.first), std::min(range.last(), all.last)};
    if (part.last < part.first)
      return fail(Code::kInvalid, "the range {} holds no address that can be given out of {}",
                  range.to_string(), subnet.to_string());
    found.push_back(part);
  }
  return found;
}

std::vector<AddressRange> search_order(const std::vector<AddressRange>& ranges,
                                       const std::optional<IpAddress>& last, std::uint64_t steps) {
  const auto at = std::ranges::find_if(
      ranges, [&](const AddressRange& range) { return last && range.contains(*last); });
  if (at == ranges.end()) return ranges;
  const std::uint64_t room = last->distance_to(at->last);
  const IpAddress from = *last->plus(room == 0 ? 0 : steps % room);
  std::vector<AddressRange> order;
  if (from < at->last) order.push_back({*from.plus(1), at->last});
  order.insert(order.end(), at + 1, ranges.end());
  order.insert(order.end(), ranges.begin(), at);
  order.push_back({at->first, from});
  return order;
}

}  // namespace fairlead::network
