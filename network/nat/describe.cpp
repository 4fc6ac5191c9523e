#include "network/nat/describe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "network/nat/entries.h"
#include "network/nat/sets.h"

namespace fairlead::nat {

namespace {

using Bytes = std::span<const std::uint8_t>;

// "inet_proto . inet_service" has two.
std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at != text.npos;) {
    const std::size_t end = text.find(separator, at);
    parts.push_back(text.substr(at, end - at));
    at = end == text.npos ? end : end + separator.size();
  }
  return parts;
}

// In the kernel's registers, of which a number that is alone fills none.
std::size_t size_of(std::string_view type, bool alone = false) {
  if (alone && type == "nf_proto") return 1;
  if (alone && type == "inet_service") return 2;
  if (type == "ether_addr") return 8;
  const bool wide = type == "ifname" || type == "iifname" || type == "ipv6_addr" ||
                    type == "@th,64,128" || type == "@th,256,128";
  return wide ? 16 : 4;
}

std::string number(Bytes bytes) {
  std::uint32_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return std::to_string(value);
}

std::string proto(std::uint8_t value) {
  for (const network::Proto each :
       {network::Proto::kTcp, network::Proto::kUdp, network::Proto::kSctp})
    if (static_cast<std::uint8_t>(each) == value) return std::string(to_string(each));
  return std::to_string(value);
}

std::string family(std::uint8_t value) {
  for (const Family each : {Family::kV4, Family::kV6})
    if (kernel::ElementBytes().family(each).bytes()[0] == value)
      return each == Family::kV4 ? "ipv4" : "ipv6";
  return std::to_string(value);
}

// In host order.
std::string mark(Bytes bytes) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data(), std::min(sizeof(value), bytes.size()));
  return fmt::format("0x{:08x}", value);
}

std::string name(Bytes bytes) {
  return fmt::format("\"{}\"", std::string(bytes.begin(), std::ranges::find(bytes, 0)));
}

// Those that begin alike are an interval, whose last name is filled up.
std::string names(Bytes first, Bytes last) {
  if (std::ranges::equal(first, last)) return name(first);
  return fmt::format("\"{}*\"", std::string(first.begin(), std::ranges::find(first, 0)));
}

// `last` differs from `first` in fields of intervals only.
std::string field(std::string_view type, Bytes first, Bytes last) {
  if (type == "ifname" || type == "iifname") return names(first, last);
  if (type == "ether_addr") return fmt::format("{:02x}", fmt::join(first.first(6), ":"));
  if (type == "nf_proto") return family(first[0]);
  if (type == "inet_proto")
    return first[0] == last[0] ? proto(first[0])
                               : number(first.first(1)) + "-" + number(last.first(1));
  if (type == "ipv4_addr" || type == "ipv6_addr" || type == "@th,192,32" || type == "@th,64,128" ||
      type == "@th,256,128") {
    const Family of = size_of(type) == 4 ? Family::kV4 : Family::kV6;
    return to_text(AddressRange{IpAddress::from_bytes(of, first), IpAddress::from_bytes(of, last)});
  }
  if (type == "@th,96,24") return number(first.first(3));
  if (type == "mark") return mark(first);
  const std::string port = number(first.first(2)), last_port = number(last.first(2));
  return port == last_port ? port : port + "-" + last_port;
}

std::string fields(std::string_view types, Bytes first, Bytes last) {
  std::vector<std::string> words;
  const auto all = split(types, " . ");
  for (const std::string_view type : all) {
    const std::size_t size = size_of(type, all.size() == 1);
    if (first.size() < size || last.size() < size) return {};
    words.push_back(field(type, first.first(size), last.first(size)));
    first = first.subspan(size);
    last = last.subspan(size);
  }
  return first.empty() ? fmt::format("{}", fmt::join(words, " . ")) : std::string();
}

// The names of both tables' sets differ.
const SetDeclaration* declaration_of(std::string_view name) {
  for (const auto family : {kernel::TableFamily::kInet, kernel::TableFamily::kBridge})
    for (const SetDeclaration& set : sets_of(family))
      if (set.name == name) return &set;
  return nullptr;
}

std::string digits(Bytes bytes) { return fmt::format("0x{:02x}", fmt::join(bytes, "")); }

}  // namespace

std::string describe(const kernel::Element& element) {
  const Bytes first = element.key.bytes();
  const Bytes last = element.key_end.empty() ? first : element.key_end.bytes();
  const SetDeclaration* set = declaration_of(element.set);
  if (set == nullptr) return digits(first);
  const auto types = split(set->type, " : ");
  std::string text = fields(types[0], first, last);
  if (text.empty()) return digits(first);
  if (element.verdict) return fmt::format("{} : {}", text, to_text(*element.verdict));
  if (types.size() < 2 || element.data.empty()) return text;
  constexpr std::string_view kInterval = "interval ";
  const bool ranges = types[1].starts_with(kInterval);
  const Bytes data = element.data.bytes(), half = data.first(data.size() / 2);
  const std::string what =
      ranges ? fields(types[1].substr(kInterval.size()), half, data.subspan(half.size()))
             : fields(types[1], data, data);
  return fmt::format("{} : {}", text, what);
}

}  // namespace fairlead::nat
