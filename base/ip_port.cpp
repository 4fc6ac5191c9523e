#include "base/ip_port.h"

#include <charconv>

#include "base/text.h"

namespace fairlead {

namespace {

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error == std::errc{} && end == text.data() + text.size() && port != 0) return port;
  return fail(Code::kInvalid, "{} is not a port from 1 to 65535", shown(text));
}

}  // namespace

Result<IpPort> IpPort::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::string_view host = text.substr(0, colon);
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (colon == std::string_view::npos || (!brackets && host.find(':') != std::string_view::npos))
    return fail(Code::kInvalid, "{} is not an address and a port, as 127.0.0.1:7780 or [::1]:7780",
                shown(text));
  TRY(const auto address, IpAddress::parse(brackets ? host.substr(1, host.size() - 2) : host));
  if (brackets == address.is_v4())
    return fail(Code::kInvalid, "{}: brackets are around IPv6 addresses, as in [::1]:7780",
                shown(text));
  TRY(const auto port, parse_port(text.substr(colon + 1)));
  return IpPort{address, port};
}

std::string IpPort::to_string() const {
  return address.is_v4() ? fmt::format("{}:{}", address.to_string(), port)
                         : fmt::format("[{}]:{}", address.to_string(), port);
}

}  // namespace fairlead
