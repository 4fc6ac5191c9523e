#include "plugin-api/cni/ranges.h"

#include <algorithm>

#include "plugin-api/cni/sections.h"

namespace fairlead::cni {

namespace {

using json::fields;
using json::required;
using json::Slot;
using json::sparse;

// As it is written.
struct WrittenRange {
  Cidr subnet;
  std::optional<IpAddress> start, end, gateway;
  std::optional<Cidr> range;
};
constexpr auto kSubnet = json::text<&Cidr::parse_subnet>();
constexpr auto kWrittenRange = fields(required<&WrittenRange::subnet>("subnet", kSubnet),
                                      sparse<&WrittenRange::start>("rangeStart", kAddressOrNone),
                                      sparse<&WrittenRange::end>("rangeEnd", kAddressOrNone),
                                      sparse<&WrittenRange::gateway>("gateway", kAddressOrNone),
                                      sparse<&WrittenRange::range>("range", kSubnet));

Status must_contain(const Cidr& subnet, const std::optional<IpAddress>& address, const Slot& slot,
                    std::string_view key) {
  if (!address || subnet.contains(*address)) return {};
  return fail(Code::kInvalid, "field {}: {} is outside the subnet {}",
              slot.member(key, nullptr).path(), address->to_string(), subnet.to_string());
}

Cidr smallest_holder(const IpAddress& first, const IpAddress& last) {
  unsigned length = first.is_v4() ? 32 : 128;
  while (length > 0 && !Cidr::of(first, length).network().contains(last)) --length;
  return Cidr::of(first, length).network();
}

// Narrows the subnet to `first`..`last`.
void narrow(AddressRange& range, const IpAddress& first, const IpAddress& last) {
  const Cidr subnet = *range.subnet.subnet;
  if (first == subnet.first() && last == subnet.last()) return;
  range.exact = prefixes_between(first, last);
  if (const Cidr holder = smallest_holder(first, last); holder != subnet)
    range.subnet.range = holder;
}

Result<AddressRange> join_ranges(AddressRange a, const AddressRange& b) {
  if (a.subnet.subnet != b.subnet.subnet)
    return fail(Code::kInvalid,
                "the subnets {} and {} are of one family: a network has at most one of each, make "
                "a second network",
                a.subnet.subnet->to_string(), b.subnet.subnet->to_string());
  if (b.subnet.gateway) {
    if (a.subnet.gateway && a.subnet.gateway != b.subnet.gateway)
      return fail(Code::kInvalid, "the subnet {} has two gateways, {} and {}",
                  a.subnet.subnet->to_string(), a.subnet.gateway->to_string(),
                  b.subnet.gateway->to_string());
    a.subnet.gateway = b.subnet.gateway;
  }
  a.subnet.range.reset();  // together they may reach over more than either
  const bool whole = a.exact.empty() || b.exact.empty();
  if (whole)
    a.exact.clear();
  else
    a.exact.insert(a.exact.end(), b.exact.begin(), b.exact.end());
  return a;
}

}  // namespace

std::vector<Cidr> prefixes_between(const IpAddress& first, const IpAddress& last) {
  std::vector<Cidr> prefixes;
  std::optional<IpAddress> next = first;
  while (next && *next <= last) {
    unsigned length = first.is_v4() ? 32 : 128;
    const auto fits = [&](unsigned candidate) {
      const Cidr block = Cidr::of(*next, candidate);
      return block.first() == *next && block.last() <= last;
    };
    while (length > 0 && fits(length - 1)) --length;
    prefixes.push_back(Cidr::of(*next, length));
    next = prefixes.back().last().plus(1);
  }
  return prefixes;
}

Result<AddressRange> decode_range(const Slot& slot) {
  TRY(const auto written, json::read(slot, kWrittenRange));
  const Cidr& subnet = written.subnet;
  TRY_STATUS(must_contain(subnet, written.start, slot, "rangeStart"));
  TRY_STATUS(must_contain(subnet, written.end, slot, "rangeEnd"));
  TRY_STATUS(must_contain(subnet, written.gateway, slot, "gateway"));
  IpAddress first = written.start.value_or(subnet.first());
  IpAddress last = written.end.value_or(subnet.last());
  if (written.range) {
    TRY_STATUS(must_contain(subnet, written.range->first(), slot, "range"));
    TRY_STATUS(must_contain(subnet, written.range->last(), slot, "range"));
    first = std::max(first, written.range->first());
    last = std::min(last, written.range->last());
  }
  if (last < first)
    return fail(Code::kInvalid, "field {}: the range ends at {}, before it starts at {}",
                slot.member("rangeEnd", nullptr).path(), last.to_string(), first.to_string());
  AddressRange range;
  range.subnet.family = subnet.family();
  range.subnet.subnet = subnet;
  range.subnet.gateway = written.gateway;
  narrow(range, first, last);
  return range;
}

Result<std::vector<AddressRange>> decode_range_sets(const Slot& slot) {
  std::vector<AddressRange> ranges;
  if (!slot.value().is_array()) return slot.wrong("an array of arrays");
  for (const json::Json& set : slot.value()) {
    if (!set.is_array())
      return fail(Code::kInvalid, "field {} must hold arrays, not {}", slot.path(),
                  set.type_name());
    for (const json::Json& element : set) {
      TRY(auto range, decode_range(slot.element(ranges.size(), element)));
      ranges.push_back(std::move(range));
    }
  }
  return ranges;
}

Result<std::vector<AddressRange>> merge_ranges(const std::vector<AddressRange>& ranges) {
  std::vector<AddressRange> merged;
  for (const AddressRange& range : ranges) {
    const auto same_family = [&](const AddressRange& other) {
      return other.subnet.family == range.subnet.family;
    };
    const auto found = std::ranges::find_if(merged, same_family);
    if (found == merged.end()) {
      merged.push_back(range);
    } else {
      TRY(*found, join_ranges(*found, range));
    }
  }
  return merged;
}

}  // namespace fairlead::cni
