#include "plugin-api/cni/sections.h"

namespace fairlead::cni {

using json::Json;

Result<std::optional<IpAddress>> read_address_or_none(const json::Slot& slot) {
  if (!slot.value().is_string()) return slot.wrong("a string");
  const std::string& text = slot.value().string();
  if (text.empty()) return std::optional<IpAddress>();
  auto address = IpAddress::parse(text);
  if (!address) return fail(slot.located(std::move(address.error())));
  return std::optional(*address);
}

Json write_address_or_none(const std::optional<IpAddress>& address) {
  return address ? Json(address->to_string()) : Json();
}

Result<Cidr> parse_destination(std::string_view text) {
  return Cidr::parse(text).map([](const Cidr& prefix) { return prefix.network(); });
}

Json mtu_of(const Interface& interface) { return interface.mtu ? Json(*interface.mtu) : Json(); }
Json gateway_of(const Ip& ip) { return write_address_or_none(ip.gateway); }
Json version_of(const Ip& ip) { return ip.version.empty() ? Json() : Json(ip.version); }

}  // namespace fairlead::cni
