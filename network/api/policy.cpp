#include "network/api/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace fairlead::network {

namespace {

constexpr std::string_view kForms =
    "use any, outside, host, net:NAME, container:NAME, NETWORK/CONTAINER, label:KEY=VALUE, an "
    "address or a "
    "subnet like 10.0.0.0/8, or a name of the DNS";
constexpr std::string_view kPortForms =
    "use 443/tcp, 8000-8100/udp, 53 (TCP and UDP), tcp, udp, sctp or icmp";
constexpr std::size_t kMostText = 255;

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kMostText &&
         std::ranges::all_of(text, [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
         });
}

tl::unexpected<Error> wrong_end(std::string_view text) {
  return fail(Code::kInvalid, "\"{}\" is no end of a policy: {}", text.substr(0, 64), kForms);
}

// A name of hosts (RFC 1123): at least two labels of letters, digits and '-', of 63 at most. In lower case,
// without the last dot.
std::optional<std::string> host_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.size() > 253 || text.find('.') == text.npos) return std::nullopt;
  std::string name;
  std::size_t length = 0;
  bool digits = true;  // in the last label: an address, or a number
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '.') {
      if (length == 0 || name.back() == '-') return std::nullopt;
      length = 0;
      digits = true;
    } else if (std::isalnum(byte) == 0 && (c != '-' || length == 0)) {
      return std::nullopt;
    } else if (++length > 63) {
      return std::nullopt;
    } else {
      digits = digits && std::isdigit(byte) != 0;
    }
    name += static_cast<char>(std::tolower(byte));
  }
  if (length == 0 || name.back() == '-' || digits) return std::nullopt;
  return name;
}

tl::unexpected<Error> no_wildcards(std::string_view text) {
  return fail(
      Code::kUnsupported,
      "\"{}\": which names there are below a domain cannot be asked of the DNS; name each host, or "
      "allow the subnets in which they are",
      text.substr(0, 64));
}

Result<PolicyEnd> parse_label_end(std::string_view text) {
  const std::size_t equal = text.find('=');
  PolicyEnd end{.kind = PolicyEnd::Kind::kLabel, .name = std::string(text.substr(0, equal))};
  if (equal != text.npos) end.value = std::string(text.substr(equal + 1));
  const auto printable = [](unsigned char c) { return c > 0x20 && c != 0x7f; };
  if (end.name.empty() || text.size() > kMostText || !std::ranges::all_of(text, printable))
    return fail(Code::kInvalid, "\"label:{}\" is no label: use label:KEY=VALUE or label:KEY",
                text.substr(0, 64));
  return end;
}

Result<PolicyEnd> named(PolicyEnd::Kind kind, std::string_view name, std::string_view whole) {
  if (!is_word(name)) return wrong_end(whole);
  return PolicyEnd{.kind = kind, .name = std::string(name)};
}

Result<PolicyEnd> parse_prefixed(std::string_view prefix, std::string_view rest,
                                 std::string_view whole) {
  using enum PolicyEnd::Kind;
  if (prefix == "label") return parse_label_end(rest);
  if (prefix == "net" || prefix == "network") return named(kNetwork, rest, whole);
  if (prefix == "dns") {
    if (rest.find('*') != rest.npos) return no_wildcards(rest);
    const auto name = host_name(rest);
    if (!name) return fail(Code::kInvalid, "\"{}\" is no name of a host", rest.substr(0, 64));
    return PolicyEnd{.kind = kName, .name = *name};
  }
  const std::size_t slash = rest.find('/');
  if (slash == rest.npos) return named(kContainer, rest, whole);
  TRY(auto end, named(kContainer, rest.substr(slash + 1), whole));
  if (!is_word(rest.substr(0, slash))) return wrong_end(whole);
  end.network = std::string(rest.substr(0, slash));
  return end;
}

bool is_prefix(std::string_view word) {
  constexpr std::string_view kPrefixes[] = {"label",     "net",      "network",
                                            "container", "endpoint", "dns"};
  return std::ranges::find(kPrefixes, word) != std::end(kPrefixes);
}

std::optional<Result<Cidr>> as_subnet(std::string_view text) {
  if (const auto address = IpAddress::parse(text))
    return Cidr::of(*address, address->is_v4() ? 32 : 128);
  const std::size_t slash = text.find('/');
  if (slash == text.npos || !IpAddress::parse(text.substr(0, slash))) return std::nullopt;
  return Cidr::parse_subnet(text);
}

// The colon before the port of a rule without brackets: an IPv6 address has several, and means no port by them.
std::optional<std::size_t> port_colon(std::string_view text) {
  const std::size_t first = text.find(':'), last = text.rfind(':');
  if (first == text.npos) return std::nullopt;
  const bool prefixed = is_prefix(text.substr(0, first));
  return prefixed == (first != last) ? std::optional(last) : std::nullopt;
}

Result<std::uint16_t> parse_number(std::string_view text, std::string_view whole) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number == 0)
    return fail(Code::kInvalid, "\"{}\" is no port: {}", whole.substr(0, 64), kPortForms);
  return number;
}

constexpr std::pair<std::string_view, PolicyPort::Kind> kProtos[] = {
    {"tcp", PolicyPort::Kind::kTcp},
    {"udp", PolicyPort::Kind::kUdp},
    {"sctp", PolicyPort::Kind::kSctp},
    {"icmp", PolicyPort::Kind::kIcmp}};

}  // namespace

std::string_view to_string(PolicyAction action) {
  return action == PolicyAction::kAllow ? "allow" : "deny";
}

Result<PolicyAction> parse_policy_action(std::string_view text) {
  for (const PolicyAction action : {PolicyAction::kAllow, PolicyAction::kDeny})
    if (text == to_string(action)) return action;
  return fail(Code::kInvalid, "\"{}\" is neither allow nor deny", text.substr(0, 64));
}

std::string to_string(const PolicyEnd& end) {
  switch (end.kind) {
    case PolicyEnd::Kind::kAny:
      return "any";
    case PolicyEnd::Kind::kOutside:
      return "outside";
    case PolicyEnd::Kind::kHost:
      return "host";
    case PolicyEnd::Kind::kNetwork:
      return "net:" + end.name;
    case PolicyEnd::Kind::kContainer:
      return end.network.empty() ? "container:" + end.name
                                 : fmt::format("container:{}/{}", end.network, end.name);
    case PolicyEnd::Kind::kLabel:
      return end.value ? fmt::format("label:{}={}", end.name, *end.value) : "label:" + end.name;
    case PolicyEnd::Kind::kSubnet: {
      const unsigned whole = end.subnet->is_v4() ? 32 : 128;
      return end.subnet->prefix_length() == whole ? end.subnet->address().to_string()
                                                  : end.subnet->to_string();
    }
    case PolicyEnd::Kind::kName:
      return "dns:" + end.name;
    case PolicyEnd::Kind::kBare:
      break;
  }
  return end.name;
}

Result<PolicyEnd> parse_policy_end(std::string_view text) {
  using enum PolicyEnd::Kind;
  if (text == "any") return PolicyEnd{.kind = kAny};
  if (text == "outside") return PolicyEnd{.kind = kOutside};
  if (text == "host") return PolicyEnd{.kind = kHost};
  if (const auto subnet = as_subnet(text)) {
    if (!*subnet) return fail(subnet->error());
    return PolicyEnd{.kind = kSubnet, .subnet = **subnet};
  }
  if (const std::size_t colon = text.find(':'); colon != text.npos) {
    if (!is_prefix(text.substr(0, colon))) return wrong_end(text);
    return parse_prefixed(text.substr(0, colon), text.substr(colon + 1), text);
  }
  if (text.find('*') != text.npos) return no_wildcards(text);
  if (text.find('/') != text.npos) return parse_prefixed("container", text, text);
  return named(kBare, text, text);
}

std::string to_string(const PolicyPort& port) {
  const auto* proto =
      std::ranges::find(kProtos, port.kind, &std::pair<std::string_view, PolicyPort::Kind>::second);
  const bool every =
      port.kind == PolicyPort::Kind::kIcmp || (port.first == 0 && port.last == 65535);
  const std::string numbers = port.first == port.last ? std::to_string(port.first)
                                                      : fmt::format("{}-{}", port.first, port.last);
  if (proto == std::end(kProtos)) return numbers;
  return every ? std::string(proto->first) : fmt::format("{}/{}", numbers, proto->first);
}

Result<PolicyPort> parse_policy_port(std::string_view text) {
  const auto proto_of = [](std::string_view word) {
    return std::ranges::find(kProtos, word, &std::pair<std::string_view, PolicyPort::Kind>::first);
  };
  if (const auto* alone = proto_of(text); alone != std::end(kProtos))
    return PolicyPort{.kind = alone->second};
  const std::size_t slash = text.find('/');
  PolicyPort port;
  if (slash != text.npos) {
    const auto* proto = proto_of(text.substr(slash + 1));
    if (proto == std::end(kProtos) || proto->second == PolicyPort::Kind::kIcmp)
      return fail(Code::kInvalid, "\"{}\" is no port: {}", text.substr(0, 64), kPortForms);
    port.kind = proto->second;
  }
  const std::string_view numbers = text.substr(0, slash);
  const std::size_t dash = numbers.find('-');
  TRY(port.first, parse_number(numbers.substr(0, dash), text));
  port.last = port.first;
  if (dash != numbers.npos) {
    TRY(port.last, parse_number(numbers.substr(dash + 1), text));
  }
  if (port.last < port.first)
    return fail(Code::kInvalid, "\"{}\" ends before it begins", text.substr(0, 64));
  return port;
}

std::string to_string(const EgressRule& rule) {
  std::string to = to_string(rule.to);
  if (rule.to.kind == PolicyEnd::Kind::kName) to = rule.to.name;
  if (!rule.port) return to;
  const bool brackets = rule.to.subnet && !rule.to.subnet->is_v4();
  return fmt::format("{}:{}", brackets ? "[" + to + "]" : to, to_string(*rule.port));
}

// A bare name is one of the DNS. Behind the last colon is a port, but not of an IPv6 address without brackets.
Result<EgressRule> parse_egress_rule(std::string_view text) {
  EgressRule rule;
  std::string_view to = text;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos)
      return fail(Code::kInvalid, "\"{}\" lacks its closing bracket", text.substr(0, 64));
    to = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return wrong_end(text);
    if (!rest.empty()) {
      TRY(rule.port, parse_policy_port(rest.substr(1)));
    }
  } else if (const auto colon = port_colon(text)) {
    to = text.substr(0, *colon);
    TRY(rule.port, parse_policy_port(text.substr(*colon + 1)));
  }
  TRY(rule.to, parse_policy_end(to));
  using enum PolicyEnd::Kind;
  if (rule.to.kind == kBare) {
    const auto name = host_name(rule.to.name);
    if (!name)
      return fail(Code::kInvalid, "\"{}\" is no name of a host; a network of Fairlead's is net:{}",
                  rule.to.name, rule.to.name);
    rule.to = {.kind = kName, .name = *name};
  }
  if (rule.to.kind == kContainer || rule.to.kind == kLabel)
    return fail(Code::kInvalid,
                "\"{}\": the list of a network has subnets, names, outside, host and net:NAME; for "
                "containers "
                "and labels use `fairlead policy allow`",
                text.substr(0, 64));
  return rule;
}

}  // namespace fairlead::network
