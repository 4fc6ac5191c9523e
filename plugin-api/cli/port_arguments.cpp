#include "plugin-api/cli/port_arguments.h"

#include <charconv>
#include <optional>

namespace fairlead::cli {

namespace {

using network::PortChoice;
using network::PortSpec;
using network::Proto;

struct Range {
  std::uint16_t first = 0, last = 0;
  unsigned length() const { return last - first + 1U; }
};

// The parts of a mapping, as texts.
struct Parts {
  std::optional<IpAddress> host_ip;
  std::optional<std::string_view> host;  // absent: nothing before the container's port
  std::string_view container;
  Proto proto = Proto::kTcp;
};

Result<std::uint16_t> parse_port(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < 1 ||
      number > 65535)
    return fail(Code::kInvalid, "\"{}\" is no port: 1 to 65535", text);
  return static_cast<std::uint16_t>(number);
}

Result<Range> parse_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  Range range;
  TRY(range.first, parse_port(text.substr(0, dash)));
  range.last = range.first;
  if (dash != std::string_view::npos) {
    TRY(range.last, parse_port(text.substr(dash + 1)));
  }
  if (range.last < range.first) return fail(Code::kInvalid, "range {} ends before it begins", text);
  return range;
}

// Cuts off "/udp".
Result<Proto> take_proto(std::string_view& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return Proto::kTcp;
  const std::string_view name = text.substr(slash + 1);
  text = text.substr(0, slash);
  return network::parse_proto(name);
}

// Cuts off "127.0.0.1:" or "[::1]:" at the start.
Result<std::optional<IpAddress>> take_address(std::string_view& text) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find("]:");
    if (close == std::string_view::npos)
      return fail(Code::kInvalid, "an IPv6 address is written [ADDRESS]:PORT");
    TRY(const auto address, IpAddress::parse(text.substr(1, close - 1)));
    text.remove_prefix(close + 2);
    return std::optional(address);
  }
  const std::size_t colon = text.find(':');
  const std::string_view first = text.substr(0, colon);
  if (colon == std::string_view::npos || first.find('.') == std::string_view::npos)
    return std::optional<IpAddress>();
  TRY(const auto address, IpAddress::parse(first));
  text.remove_prefix(colon + 1);
  return std::optional(address);
}

Result<Parts> split(std::string_view text) {
  Parts parts;
  TRY(parts.proto, take_proto(text));
  TRY(parts.host_ip, take_address(text));
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    parts.container = text;
    return parts;
  }
  parts.host = text.substr(0, colon);
  parts.container = text.substr(colon + 1);
  if (parts.container.find(':') != std::string_view::npos)
    return fail(Code::kInvalid, "it has too many parts; an IPv6 address stands in brackets");
  return parts;
}

Result<std::vector<PortSpec>> read_mapping(std::string_view text) {
  TRY(const Parts parts, split(text));
  TRY(const Range container, parse_range(parts.container));
  const bool chosen = !parts.host || parts.host->empty();
  Range host;
  if (!chosen) {
    TRY(host, parse_range(*parts.host));
  }
  const bool one_of = !chosen && host.length() > 1 && container.length() == 1;
  if (!chosen && !one_of && host.length() != container.length())
    return fail(Code::kInvalid, "{} ports of the host do not fit {} of the container",
                host.length(), container.length());
  std::vector<PortSpec> specs;
  if (!chosen && host.length() > 1 && !one_of)
    return std::vector{PortSpec{.proto = parts.proto,
                                .host_ip = parts.host_ip,
                                .host_port = host.first,
                                .host_port_end = host.last,
                                .container_port = container.first,
                                .container_port_end = container.last}};
  for (unsigned step = 0; step < container.length(); ++step) {
    PortSpec spec{.proto = parts.proto,
                  .host_ip = parts.host_ip,
                  .container_port = static_cast<std::uint16_t>(container.first + step)};
    if (!chosen) spec.host_port = static_cast<std::uint16_t>(host.first + step);
    if (one_of) spec.host_port_end = host.last;
    specs.push_back(spec);
  }
  return specs;
}

Result<PortChoice> read_choice(std::string_view text) {
  TRY(const Parts parts, split(text));
  TRY(const Range host, parse_range(parts.host.value_or(parts.container)));
  return PortChoice{.proto = parts.proto,
                    .host_ip = parts.host_ip,
                    .host_port = host.first,
                    .host_port_end = host.length() > 1 ? host.last : std::uint16_t{0}};
}

template <class T>
Result<T> about(std::string_view text, Result<T> read) {
  if (read) return read;
  return fail(with_context(read.error(), fmt::format("port \"{}\"", text)));
}

}  // namespace

Result<std::vector<PortSpec>> parse_mapping(std::string_view text) {
  return about(text, read_mapping(text));
}

Result<PortChoice> parse_choice(std::string_view text) { return about(text, read_choice(text)); }

}  // namespace fairlead::cli
