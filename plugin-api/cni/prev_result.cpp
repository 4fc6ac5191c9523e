#include "plugin-api/cni/prev_result.h"

#include <algorithm>

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

using json::Json;

void append_all(Json& list, const Json& more) {
  for (const Json& each : more)
    if (std::ranges::find(list, each) == list.end()) list.push_back(each);
}

Json joined_dns(Json earlier, const Json& ours) {
  for (const Json::Member& member : ours.members()) {
    const Json* there = earlier.find(member.key);
    if (there == nullptr || there->empty())
      earlier[member.key] = member.value;
    else if (there->is_array() && member.value.is_array())
      append_all(earlier[member.key], member.value);
  }
  return earlier;
}

}  // namespace

Result<Json> decode_earlier(const json::Object& result, std::string_view ifname) {
  TRY(const auto lists, json::read(json::Slot(result, {}), kResultLists));
  for (const char* old : {"ip4", "ip6"})
    if (result.find(old) != nullptr)
      return fail(Code::kInvalid,
                  "field {} is of a version before 0.3.0, in which no plugin adds to another one's "
                  "result",
                  result.path_of(old));
  if (find_interface(lists.interfaces, ifname))
    return fail(
        Code::kInvalid,
        "an earlier plugin of the list has made interface {0} in the container, and all of a "
        "list get the same CNI_IFNAME; give fairlead's another name with \"ifname\": \"net1\", "
        "or make two lists of them",
        ifname);
  return result.raw();
}

Json joined_results(Json earlier, Json ours) {
  const std::size_t before = earlier["interfaces"].size();
  for (Json& ip : ours["ips"])
    if (ip.contains("interface"))
      ip["interface"] = ip["interface"].get<std::int64_t>() + static_cast<std::int64_t>(before);
  for (const char* list : {"interfaces", "ips", "routes"}) {
    if (ours[list].empty()) continue;
    Json all = earlier[list].is_array() ? earlier[list] : Json::array();
    for (const Json& each : ours[list]) all.push_back(each);
    earlier[list] = std::move(all);
  }
  if (ours.contains("dns"))
    earlier["dns"] = joined_dns(earlier.value("dns", Json::object()), ours["dns"]);
  earlier["cniVersion"] = ours["cniVersion"];
  return earlier;
}

Result<PrevResult> decode_prev_result(const json::Object& result, std::string_view ifname) {
  TRY(const auto lists, json::read(json::Slot(result, {}), kResultLists));
  PrevResult previous;
  previous.routes = lists.routes;
  const auto own = find_interface(lists.interfaces, ifname);
  if (own && !lists.interfaces[*own].mac.empty()) {
    TRY(previous.mac, parse_element(&MacAddress::parse, lists.interfaces[*own].mac, result,
                                    "interfaces", *own, "mac"));
  }
  const auto names_own = [&](const Ip& ip) {
    return own && ip.interface >= 0 && static_cast<std::size_t>(ip.interface) == *own;
  };
  const bool named = std::ranges::any_of(lists.ips, names_own);
  for (std::size_t i = 0; i < lists.ips.size(); ++i) {
    const Ip& ip = lists.ips[i];
    if (named && !names_own(ip)) continue;
    if (ip.interface >= 0 && own && static_cast<std::size_t>(ip.interface) != *own) continue;
    TRY(const auto address, parse_element(&Cidr::parse, ip.address, result, "ips", i, "address"));
    previous.addresses.push_back(address);
  }
  return previous;
}

}  // namespace fairlead::cni
