#include "network/api/explain.h"

#include <charconv>

namespace fairlead::network {

std::string to_string(const ExplainPort& port) {
  switch (port.kind) {
    case ExplainPort::Kind::kTcp:
      return fmt::format("{}/tcp", port.port);
    case ExplainPort::Kind::kUdp:
      return fmt::format("{}/udp", port.port);
    case ExplainPort::Kind::kPing:
      break;
  }
  return "icmp";
}

Result<ExplainPort> parse_explain_port(std::string_view text) {
  using Kind = ExplainPort::Kind;
  if (text == "icmp" || text == "ping") return ExplainPort{};
  const std::size_t slash = text.find('/');
  const std::string_view number = text.substr(0, slash);
  const std::string_view proto = slash == text.npos ? "tcp" : text.substr(slash + 1);
  ExplainPort port{.kind = proto == "udp" ? Kind::kUdp : Kind::kTcp};
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), port.port);
  const bool is_number = error == std::errc() && end == number.data() + number.size();
  if (!is_number || port.port == 0 || (proto != "tcp" && proto != "udp"))
    return fail(Code::kInvalid, "port \"{}\" is not like 80, 80/tcp, 53/udp or icmp", text);
  return port;
}

std::string_view to_string(Reach reach) {
  switch (reach) {
    case Reach::kYes:
      return "yes";
    case Reach::kNo:
      return "no";
    case Reach::kUnseen:
      break;
  }
  return "unseen";
}

}  // namespace fairlead::network
