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

// The subnet of both ranges.
Result<network::SubnetSpec> join(network::SubnetSpec a, const network::SubnetSpec& b) {
  if (b.gateway && a.gateway && a.gateway != b.gateway)
    return fail(Code::kInvalid, "the subnet {} has two gateways, {} and {}", a.subnet->to_string(),
                a.gateway->to_string(), b.gateway->to_string());
  if (b.gateway) a.gateway = b.gateway;
  a.range.reset();  // together they may reach over more than either
  return a;
}

// The range as prefixes, within the addresses that host-local gives out of a subnet of its own.
std::vector<Cidr> prefixes_of(const AddressRange& range) {
  if (!range.exact.empty()) return range.exact;
  const Cidr& subnet = *range.subnet.subnet;
  if (subnet.size() <= 2) return {subnet};
  const IpAddress first = *subnet.first().plus(1);
  return prefixes_between(first,
                          subnet.is_v4() ? *subnet.first().plus(subnet.size() - 2) : subnet.last());
}

}  // namespace

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

Result<std::vector<AddressRangeSet>> decode_range_sets(const Slot& slot) {
  std::vector<AddressRangeSet> sets;
  if (!slot.value().is_array()) return slot.wrong("an array of arrays");
  std::size_t count = 0;
  for (const json::Json& set : slot.value()) {
    if (!set.is_array())
      return fail(Code::kInvalid, "field {} must hold arrays, not {}", slot.path(),
                  set.type_name());
    AddressRangeSet& ranges = sets.emplace_back();
    for (const json::Json& element : set) {
      TRY(auto range, decode_range(slot.element(count++, element)));
      if (!ranges.empty() && range.subnet.family != ranges.front().subnet.family)
        return fail(
            Code::kInvalid,
            "field {}: the subnets {} and {} of one set are of two families; write two sets",
            slot.path(), ranges.front().subnet.subnet->to_string(),
            range.subnet.subnet->to_string());
      ranges.push_back(std::move(range));
    }
    if (ranges.empty()) sets.pop_back();
  }
  return sets;
}

Result<std::vector<network::SubnetSpec>> subnets_of(const std::vector<AddressRangeSet>& sets) {
  std::vector<network::SubnetSpec> subnets;
  for (const AddressRangeSet& set : sets)
    for (const AddressRange& range : set) {
      const auto found =
          std::ranges::find(subnets, range.subnet.subnet, &network::SubnetSpec::subnet);
      if (found == subnets.end()) {
        subnets.push_back(range.subnet);
      } else {
        TRY(*found, join(*found, range.subnet));
      }
    }
  return subnets;
}

bool is_plain(const std::vector<AddressRangeSet>& sets, Family family) {
  const AddressRangeSet* only = nullptr;
  for (const AddressRangeSet& set : sets) {
    if (set.front().subnet.family != family) continue;
    if (only != nullptr) return false;
    only = &set;
  }
  if (only == nullptr) return true;
  return std::ranges::all_of(*only, [&](const AddressRange& range) {
    const bool whole = range.exact.empty();
    const bool one_prefix =
        range.exact.size() == 1 && range.subnet.range == range.exact.front() && only->size() == 1;
    return whole || one_prefix;
  });
}

network::RangeSet prefixes_of(const AddressRangeSet& set,
                              const std::vector<network::SubnetSpec>& subnets) {
  network::RangeSet prefixes;
  for (const AddressRange& range : set) {
    const bool whole =
        range.exact.empty() && std::ranges::any_of(subnets, [&](const network::SubnetSpec& subnet) {
          return subnet.subnet == range.subnet.subnet;
        });
    if (whole) {
      prefixes.push_back(*range.subnet.subnet);
      continue;
    }
    const auto parts = prefixes_of(range);
    prefixes.insert(prefixes.end(), parts.begin(), parts.end());
  }
  return prefixes;
}

}  // namespace fairlead::cni
