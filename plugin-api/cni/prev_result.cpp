#include "plugin-api/cni/prev_result.h"

#include "plugin-api/cni/settings.h"

namespace fairlead::cni {

namespace {

using json::Object;

// The index of the container's interface; nothing when it is not listed.
Result<std::optional<std::size_t>> find_interface(const std::vector<Object>& interfaces,
                                                  std::string_view ifname) {
  for (std::size_t i = 0; i < interfaces.size(); ++i) {
    TRY(const std::string name, interfaces[i].string_or("name", ""));
    TRY(const std::string sandbox, interfaces[i].string_or("sandbox", ""));
    if (name == ifname && !sandbox.empty()) return std::optional(i);
  }
  return std::optional<std::size_t>();
}

Result<std::optional<MacAddress>> mac_of(const Object& interface) {
  TRY(const std::string text, interface.string_or("mac", ""));
  if (text.empty()) return std::optional<MacAddress>();
  TRY(const auto mac, MacAddress::parse(text));
  return std::optional(mac);
}

Result<std::vector<Cidr>> addresses_of(const Object& result, std::optional<std::size_t> index) {
  std::vector<Cidr> addresses;
  TRY(const auto ips, result.objects_or_empty("ips"));
  for (const Object& ip : ips) {
    TRY(const std::string text, ip.string("address"));
    TRY(const auto interface, ip.integer_or("interface", -1, INT32_MAX, -1));
    if (interface >= 0 && index && static_cast<std::size_t>(interface) != *index) continue;
    TRY(const auto address, Cidr::parse(text));
    addresses.push_back(address);
  }
  return addresses;
}

}  // namespace

Result<PrevResult> decode_prev_result(const Object& result, std::string_view ifname) {
  PrevResult previous;
  TRY(const auto interfaces, result.objects_or_empty("interfaces"));
  TRY(const auto index, find_interface(interfaces, ifname));
  if (index) {
    TRY(previous.mac, mac_of(interfaces[*index]));
  }
  TRY(previous.addresses, addresses_of(result, index));
  TRY(previous.routes, decode_routes(result, "routes"));
  return previous;
}

}  // namespace fairlead::cni
