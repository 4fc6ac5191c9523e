#include "network/explain/match.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace fairlead::explain {

namespace {

using json::Json;
using Kind = Numeral::Kind;

struct Word {
  Kind kind;
  std::string_view word;
  std::uint64_t number;
};
// nft(8), and what names of protocols are in /etc/protocols.
constexpr auto kWords = std::to_array<Word>({
    {Kind::kProto, "icmp", 1},
    {Kind::kProto, "igmp", 2},
    {Kind::kProto, "tcp", 6},
    {Kind::kProto, "udp", 17},
    {Kind::kProto, "gre", 47},
    {Kind::kProto, "esp", 50},
    {Kind::kProto, "ah", 51},
    {Kind::kProto, "ipv6-icmp", 58},
    {Kind::kProto, "icmpv6", 58},
    {Kind::kProto, "sctp", 132},
    {Kind::kProto, "udplite", 136},
    {Kind::kFamily, "ipv4", 2},
    {Kind::kFamily, "ipv6", 10},
    {Kind::kEther, "ip", 0x0800},
    {Kind::kEther, "arp", 0x0806},
    {Kind::kEther, "8021q", 0x8100},
    {Kind::kEther, "vlan", 0x8100},
    {Kind::kEther, "ip6", 0x86dd},
    {Kind::kIcmpType, "echo-reply", 0},
    {Kind::kIcmpType, "destination-unreachable", 3},
    {Kind::kIcmpType, "source-quench", 4},
    {Kind::kIcmpType, "redirect", 5},
    {Kind::kIcmpType, "echo-request", 8},
    {Kind::kIcmpType, "router-advertisement", 9},
    {Kind::kIcmpType, "router-solicitation", 10},
    {Kind::kIcmpType, "time-exceeded", 11},
    {Kind::kIcmpType, "parameter-problem", 12},
    {Kind::kIcmpv6Type, "destination-unreachable", 1},
    {Kind::kIcmpv6Type, "packet-too-big", 2},
    {Kind::kIcmpv6Type, "time-exceeded", 3},
    {Kind::kIcmpv6Type, "parameter-problem", 4},
    {Kind::kIcmpv6Type, "echo-request", 128},
    {Kind::kIcmpv6Type, "echo-reply", 129},
    {Kind::kIcmpv6Type, "mld-listener-query", 130},
    {Kind::kIcmpv6Type, "mld-listener-report", 131},
    {Kind::kIcmpv6Type, "mld-listener-done", 132},
    {Kind::kIcmpv6Type, "nd-router-solicit", 133},
    {Kind::kIcmpv6Type, "nd-router-advert", 134},
    {Kind::kIcmpv6Type, "nd-neighbor-solicit", 135},
    {Kind::kIcmpv6Type, "nd-neighbor-advert", 136},
    {Kind::kIcmpv6Type, "nd-redirect", 137},
    {Kind::kIcmpv6Type, "mld2-listener-report", 143},
});

std::optional<std::uint64_t> number_in(std::string_view text) {
  const int base = text.starts_with("0x") ? 16 : 10;
  if (base == 16) text.remove_prefix(2);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> number_of(const Json& json, Kind kind) {
  if (json.is_boolean()) return json.boolean() ? 1 : 0;
  if (json.is_number_integer()) return json.unsigned_integer();
  if (!json.is_string()) return std::nullopt;
  for (const Word& word : kWords)
    if (word.kind == kind && word.word == json.string()) return word.number;
  return number_in(json.string());
}

std::string_view text_in(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  return found != nullptr && found->is_string() ? std::string_view(found->string())
                                                : std::string_view();
}

// ---- what a packet has

Value port(bool has, std::uint16_t number) {
  if (!has) return Absent{};
  return Numeral{number};
}

Value of_addresses(std::string_view field, const Packet& packet, bool is_v4) {
  if (packet.source.is_v4() != is_v4) return Absent{};
  if (field == "saddr") return packet.source;
  if (field == "daddr") return packet.destination;
  if (field == (is_v4 ? "protocol" : "nexthdr")) return Numeral{packet.proto, Kind::kProto};
  return Unknown{};
}

Value of_ports(std::string_view field, const Packet& packet, bool is_that) {
  if (!is_that || !packet.has_ports()) return Absent{};
  if (field == "sport") return port(true, packet.source_port);
  if (field == "dport") return port(true, packet.port);
  return Unknown{};
}

Value of_ether(std::string_view field, const Packet& packet) {
  if (field == "type") return Numeral{packet.source.is_v4() ? 0x0800U : 0x86ddU, Kind::kEther};
  if (field == "saddr") return packet.mac.to_string();
  return Unknown{};
}

Value payload(const Json& expression, const Packet& packet) {
  const std::string_view protocol = text_in(expression, "protocol"),
                         field = text_in(expression, "field");
  if (protocol == "ip") return of_addresses(field, packet, true);
  if (protocol == "ip6") return of_addresses(field, packet, false);
  if (protocol == "th") return of_ports(field, packet, true);
  if (protocol == "tcp") return of_ports(field, packet, packet.proto == kTcp);
  if (protocol == "udp") return of_ports(field, packet, packet.proto == kUdp);
  if (protocol == "sctp") return of_ports(field, packet, packet.proto == kSctp);
  if (protocol == "ether") return of_ether(field, packet);
  if (protocol == "arp" || protocol == "vlan") return Absent{};
  const bool v4 = protocol == "icmp";
  if (!v4 && protocol != "icmpv6") return Unknown{};
  if (packet.proto != (v4 ? kIcmp : kIcmpv6)) return Absent{};
  if (field == "type") return Numeral{packet.icmp_type, v4 ? Kind::kIcmpType : Kind::kIcmpv6Type};
  return Unknown{};
}

Value link(const std::string& name) {
  return name;  // of a hook without one: an empty name, which no element has
}

Value meta(std::string_view key, const Sight& sight) {
  const Packet& packet = sight.packet;
  if (key == "iifname" || key == "iif") return link(packet.in);
  if (key == "oifname" || key == "oif") return link(packet.out);
  if (key == "iifkind") return sight.facts.kind_of(packet.in);
  if (key == "oifkind") return sight.facts.kind_of(packet.out);
  if (key == "l4proto") return Numeral{packet.proto, Kind::kProto};
  if (key == "nfproto") return Numeral{packet.source.is_v4() ? 2U : 10U, Kind::kFamily};
  if (key == "protocol") return Numeral{packet.source.is_v4() ? 0x0800U : 0x86ddU, Kind::kEther};
  if (key == "mark") return Numeral{packet.mark};
  if (key == "pkttype") return std::string("host");
  return Unknown{};
}

Value of_tuple(std::string_view key, std::string_view direction, const Flow& flow) {
  const bool reply = direction == "reply";
  if (direction.empty()) return Unknown{};
  const auto address = [&](const IpAddress& of, std::string_view family) -> Value {
    if (of.is_v4() != (family != "ip6")) return Absent{};
    return of;
  };
  const std::size_t blank = key.find(' ');
  const std::string_view family = blank == key.npos ? std::string_view() : key.substr(0, blank);
  const std::string_view field = blank == key.npos ? key : key.substr(blank + 1);
  const std::string_view which = family.empty() && !flow.source.is_v4() ? "ip6" : family;
  if (field == "saddr") return address(reply ? flow.answerer : flow.source, which);
  if (field == "daddr" && !reply) return address(flow.destination, which);
  if (field == "proto-dst" && !reply) return Numeral{flow.port};
  return Unknown{};
}

Value ct(const Json& expression, const Flow& flow) {
  const std::string_view key = text_in(expression, "key");
  if (key == "state") return Bits{{flow.answer ? "established" : "new"}};
  if (key == "direction") return std::string(flow.answer ? "reply" : "original");
  if (key == "mark") return Numeral{flow.mark};
  if (key == "status") {
    Bits bits;
    if (flow.translated) bits.set.insert("dnat");
    if (flow.masked) bits.set.insert("snat");
    if (flow.answer) bits.set.insert({"seen-reply", "confirmed", "assured"});
    return bits;
  }
  return of_tuple(key, text_in(expression, "dir"), flow);
}

bool has_flag(const Json& expression, std::string_view flag) {
  const Json* flags = expression.find("flags");
  if (flags == nullptr) return false;
  if (flags->is_string()) return flags->string() == flag;
  return std::any_of(flags->begin(), flags->end(),
                     [&](const Json& each) { return each.is_string() && each.string() == flag; });
}

// Where the host would send what it sends to the address, as the kernel looks it up for `fib` (nft_fib_ipv4.c).
Value fib(const Json& expression, const Sight& sight) {
  const Packet& packet = sight.packet;
  const IpAddress& address = has_flag(expression, "daddr") ? packet.destination : packet.source;
  const std::string_view result = text_in(expression, "result");
  const std::string link = has_flag(expression, "iif")   ? packet.in
                           : has_flag(expression, "oif") ? packet.out
                                                         : std::string();
  if (result == "type")
    return std::string(sight.facts.is_local(address, link) ? "local" : "unicast");
  if (result != "oif" && result != "oifname") return Unknown{};
  const Route route = sight.facts.route({.to = address, .mark = packet.mark});
  const bool found = route.kind == Route::Kind::kOut && (link.empty() || route.link == link);
  return Numeral{found ? 1U : 0U};
}

Value concat(const Json& parts, const Sight& sight) {
  Concat concat;
  for (const Json& part : parts) {
    concat.parts.push_back(value_of(part, sight));
    if (std::holds_alternative<Absent>(concat.parts.back())) return Absent{};
  }
  return concat;
}

Value masked(const Json& operands, const Sight& sight) {
  const Value left = operands.size() == 2 ? value_of(operands[0], sight) : Value();
  const auto* number = std::get_if<Numeral>(&left);
  if (number == nullptr) return std::holds_alternative<Absent>(left) ? left : Value();
  const auto mask = number_of(operands[1], number->kind);
  if (!mask) return Unknown{};
  return Numeral{number->number & *mask, number->kind};
}

// ---- comparison

Truth truth(bool value) { return value ? Truth::kYes : Truth::kNo; }

Truth any_of(Truth a, Truth b) {
  if (a == Truth::kYes || b == Truth::kYes) return Truth::kYes;
  return a == Truth::kUnknown || b == Truth::kUnknown ? Truth::kUnknown : Truth::kNo;
}

Truth all_of(Truth a, Truth b) {
  if (a == Truth::kNo || b == Truth::kNo) return Truth::kNo;
  return a == Truth::kUnknown || b == Truth::kUnknown ? Truth::kUnknown : Truth::kYes;
}

Truth is(const Value& value, const Json& pattern);

std::optional<IpAddress> address_in(const Json& json) {
  if (!json.is_string()) return std::nullopt;
  const auto address = IpAddress::parse(json.string());
  if (!address) return std::nullopt;
  return *address;
}

Truth is_in_prefix(const Value& value, const Json& prefix) {
  const auto* address = std::get_if<IpAddress>(&value);
  const auto network = address_in(prefix["addr"]);
  if (address == nullptr || !network || !prefix["len"].is_number_integer()) return Truth::kUnknown;
  return truth(address->family() == network->family() &&
               Cidr::of(*network, prefix["len"].get<unsigned>()).contains(*address));
}

Truth is_in_range(const Value& value, const Json& range) {
  if (!range.is_array() || range.size() != 2) return Truth::kUnknown;
  if (const auto* address = std::get_if<IpAddress>(&value)) {
    const auto first = address_in(range[0]), last = address_in(range[1]);
    if (!first || !last) return Truth::kUnknown;
    return truth(first->family() == address->family() && *first <= *address && *address <= *last);
  }
  const auto* number = std::get_if<Numeral>(&value);
  if (number == nullptr) return Truth::kUnknown;
  const auto first = number_of(range[0], number->kind), last = number_of(range[1], number->kind);
  if (!first || !last) return Truth::kUnknown;
  return truth(*first <= number->number && number->number <= *last);
}

Truth is_concat(const Value& value, const Json& parts) {
  const auto* concat = std::get_if<Concat>(&value);
  if (concat == nullptr || concat->parts.size() != parts.size()) return Truth::kUnknown;
  Truth all = Truth::kYes;
  for (std::size_t i = 0; i < parts.size(); ++i) all = all_of(all, is(concat->parts[i], parts[i]));
  return all;
}

Truth is_one_of(const Value& value, const Json& patterns) {
  Truth any = Truth::kNo;
  for (const Json& pattern : patterns) any = any_of(any, is(value, pattern));
  return any;
}

// A name ends with * where it stands for all that begin so.
bool is_named(const std::string& name, std::string_view pattern) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return name == pattern;
}

struct IsScalar {
  const Json& pattern;
  Truth operator()(const Unknown&) const { return Truth::kUnknown; }
  Truth operator()(const Absent&) const { return Truth::kNo; }
  Truth operator()(const Concat&) const { return Truth::kUnknown; }
  Truth operator()(const Numeral& value) const {
    const auto number = number_of(pattern, value.kind);
    return number ? truth(*number == value.number) : Truth::kUnknown;
  }
  Truth operator()(const IpAddress& value) const {
    const auto address = address_in(pattern);
    return address ? truth(*address == value) : Truth::kUnknown;
  }
  Truth operator()(const std::string& value) const {
    return pattern.is_string() ? truth(is_named(value, pattern.string())) : Truth::kUnknown;
  }
  Truth operator()(const Bits& value) const {
    return pattern.is_string() ? truth(value.set.contains(pattern.string())) : Truth::kUnknown;
  }
};

Truth is(const Value& value, const Json& pattern) {
  if (std::holds_alternative<Absent>(value)) return Truth::kNo;
  if (const Json* prefix = pattern.find("prefix")) return is_in_prefix(value, *prefix);
  if (const Json* range = pattern.find("range")) return is_in_range(value, *range);
  if (const Json* parts = pattern.find("concat")) return is_concat(value, *parts);
  if (const Json* set = pattern.find("set")) return is_one_of(value, *set);
  if (const Json* element = pattern.find("elem")) return is(value, (*element)["val"]);
  if (pattern.is_array()) return is_one_of(value, pattern);
  return std::visit(IsScalar{pattern}, value);
}

// ---- sets

const Json* elements_of(const Json& named, const Sight& sight, std::string& name) {
  if (const Json* anonymous = named.find("set")) return anonymous;
  if (!named.is_string() || !named.string().starts_with('@')) return nullptr;
  name = named.string().substr(1);
  const auto found = sight.table.sets.find(name);
  return found == sight.table.sets.end() ? nullptr : &found->second;
}

// Of a map's element [key, data] the key.
const Json& key_of(const Json& element) {
  return element.is_array() && element.size() == 2 ? element[0] : element;
}

Match search(const Value& value, const Json& named, const Sight& sight) {
  Match match;
  const Json* elements = elements_of(named, sight, match.set);
  if (std::holds_alternative<Absent>(value)) return match;
  if (elements == nullptr) {
    match.truth = Truth::kUnknown;
    return match;
  }
  for (const Json& element : *elements) {
    const Truth found = is(value, key_of(element));
    if (found == Truth::kNo) continue;
    match.truth = found;
    match.element = &element;
    if (found == Truth::kYes) break;
  }
  return match;
}

Truth negated(Truth value) {
  if (value == Truth::kUnknown) return value;
  return value == Truth::kYes ? Truth::kNo : Truth::kYes;
}

std::string data_text(const Json& data) {
  for (const char* verdict : {"accept", "drop", "return", "continue"})
    if (data.find(verdict) != nullptr) return verdict;
  for (const char* verdict : {"goto", "jump"})
    if (const Json* target = data.find(verdict))
      return fmt::format("{} {}", verdict, text_in(*target, "target"));
  return element_text(data);
}

}  // namespace

Value value_of(const Json& expression, const Sight& sight) {
  if (const Json* found = expression.find("payload")) return payload(*found, sight.packet);
  if (const Json* found = expression.find("meta")) return meta(text_in(*found, "key"), sight);
  if (const Json* found = expression.find("ct")) return ct(*found, sight.flow);
  if (const Json* found = expression.find("fib")) return fib(*found, sight);
  if (const Json* found = expression.find("concat")) return concat(*found, sight);
  if (const Json* found = expression.find("&")) return masked(*found, sight);
  return Unknown{};
}

Match holds(const Json& match, const Sight& sight) {
  const Value left = value_of(match["left"], sight);
  if (std::holds_alternative<Absent>(left)) return {};
  const Json& right = match["right"];
  const bool is_set =
      right.is_string() ? right.string().starts_with('@') : right.find("set") != nullptr;
  Match found = is_set ? search(left, right, sight) : Match{.truth = is(left, right)};
  const std::string_view op = text_in(match, "op");
  if (op == "!=" || op == "!")
    found.truth = negated(found.truth);
  else if (op != "==" && op != "in")
    found.truth = Truth::kUnknown;
  return found;
}

Match look_up(const Json& map, const Sight& sight) {
  return search(value_of(map["key"], sight), map["data"], sight);
}

std::string element_text(const Json& element) {
  if (element.is_string()) return element.string();
  if (element.is_array() && element.size() == 2)
    return fmt::format("{} : {}", element_text(element[0]), data_text(element[1]));
  if (const Json* prefix = element.find("prefix"))
    return fmt::format("{}/{}", text_in(*prefix, "addr"), (*prefix)["len"].dump());
  if (const Json* range = element.find("range"); range != nullptr && range->size() == 2)
    return fmt::format("{}-{}", element_text((*range)[0]), element_text((*range)[1]));
  if (const Json* value = element.find("elem")) return element_text((*value)["val"]);
  if (const Json* parts = element.find("concat")) {
    std::vector<std::string> texts;
    for (const Json& part : *parts) texts.push_back(element_text(part));
    return fmt::format("{}", fmt::join(texts, " . "));
  }
  return element.dump();
}

}  // namespace fairlead::explain
