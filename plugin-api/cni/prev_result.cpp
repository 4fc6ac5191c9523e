#include "plugin-api/cni/prev_result.h"

#include "plugin-api/cni/sections.h"

namespace fairlead::cni {

namespace {

// The container's interface; nothing when it is not listed.
std::optional<std::size_t> find_interface(const std::vector<Interface>& interfaces,
                                          std::string_view ifname) {
  for (std::size_t i = 0; i < interfaces.size(); ++i)
    if (interfaces[i].name == ifname && !interfaces[i].sandbox.empty()) return i;
  return std::nullopt;
}

// The value of one element of a list.
template <class T>
Result<T> parse_element(Result<T> (*parse)(std::string_view), const std::string& text,
                        const json::Object& result, std::string_view list, std::size_t index,
                        std::string_view key) {
  auto value = parse(text);
  if (value) return value;
  const std::string path = result.path_of(fmt::format("{}[{}].{}", list, index, key));
  return fail(with_context(value.error(), "field " + path));
}

}  // namespace

Result<PrevResult> decode_prev_result(const json::Object& result, std::string_view ifname) {
  TRY(const auto lists, json::read(json::Slot(result, {}), kResultLists));
  PrevResult previous;
  previous.routes = lists.routes;
  const auto own = find_interface(lists.interfaces, ifname);
  if (own && !lists.interfaces[*own].mac.empty()) {
    TRY(previous.mac, parse_element(&MacAddress::parse, lists.interfaces[*own].mac, result,
                                    "interfaces", *own, "mac"));
  }
  for (std::size_t i = 0; i < lists.ips.size(); ++i) {
    const Ip& ip = lists.ips[i];
    if (ip.interface >= 0 && own && static_cast<std::size_t>(ip.interface) != *own) continue;
    TRY(const auto address, parse_element(&Cidr::parse, ip.address, result, "ips", i, "address"));
    previous.addresses.push_back(address);
  }
  return previous;
}

}  // namespace fairlead::cni
