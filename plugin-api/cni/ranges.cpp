#include "plugin-api/cni/ranges.h"

#include <algorithm>

namespace fairlead::cni {

namespace {

Result<std::optional<IpAddress>> address_or_none(const json::Object& object, std::string_view key) {
  TRY(const std::string text, object.string_or(key, ""));
  if (text.empty()) return std::optional<IpAddress>();
  auto address = IpAddress::parse(text);
  if (!address) return fail(with_context(address.error(), "field " + object.path_of(key)));
  return std::optional(*address);
}

Result<Cidr> subnet_of(const json::Object& object, std::string_view key) {
  TRY(const std::string text, object.string(key));
  auto subnet = Cidr::parse_subnet(text);
  if (!subnet) return fail(with_context(subnet.error(), "field " + object.path_of(key)));
  return *subnet;
}

Status must_contain(const Cidr& subnet, const IpAddress& address, const std::string& path) {
  if (subnet.contains(address)) return {};
  return fail(Code::kInvalid, "field {}: {} is outside the subnet {}", path, address.to_string(),
              subnet.to_string());
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

Result<AddressRange> decode_range(const json::Object& object) {
  AddressRange range;
  TRY(const Cidr subnet, subnet_of(object, "subnet"));
  TRY(const auto start, address_or_none(object, "rangeStart"));
  TRY(const auto end, address_or_none(object, "rangeEnd"));
  TRY(range.subnet.gateway, address_or_none(object, "gateway"));
  range.subnet.family = subnet.family();
  range.subnet.subnet = subnet;
  if (start) TRY_STATUS(must_contain(subnet, *start, object.path_of("rangeStart")));
  if (end) TRY_STATUS(must_contain(subnet, *end, object.path_of("rangeEnd")));
  if (range.subnet.gateway)
    TRY_STATUS(must_contain(subnet, *range.subnet.gateway, object.path_of("gateway")));
  IpAddress first = start.value_or(subnet.first()), last = end.value_or(subnet.last());
  if (object.find("range") != nullptr) {
    TRY(const Cidr prefix, subnet_of(object, "range"));
    TRY_STATUS(must_contain(subnet, prefix.first(), object.path_of("range")));
    TRY_STATUS(must_contain(subnet, prefix.last(), object.path_of("range")));
    first = std::max(first, prefix.first());
    last = std::min(last, prefix.last());
  }
  if (last < first)
    return fail(Code::kInvalid, "field {}: the range ends at {}, before it starts at {}",
                object.path_of("rangeEnd"), last.to_string(), first.to_string());
  narrow(range, first, last);
  return range;
}

Result<std::vector<AddressRange>> decode_range_sets(const json::Object& object,
                                                    std::string_view key) {
  std::vector<AddressRange> ranges;
  const json::Json* sets = object.find(key);
  if (sets == nullptr) return ranges;
  const std::string path = object.path_of(key);
  if (!sets->is_array())
    return fail(Code::kInvalid, "field {} must be an array of arrays, not {}", path,
                sets->type_name());
  for (const json::Json& set : *sets) {
    if (!set.is_array())
      return fail(Code::kInvalid, "field {} must hold arrays, not {}", path, set.type_name());
    for (const json::Json& element : set) {
      TRY(const auto range_object,
          json::Object::of(element, fmt::format("{}[{}]", path, ranges.size()),
                           json::Keys::kAnyCase));
      TRY(auto range, decode_range(range_object));
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
