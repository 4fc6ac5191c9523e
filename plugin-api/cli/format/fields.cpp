#include <algorithm>
#include <array>
#include <optional>

#include "plugin-api/cli/format/nodes.h"

namespace fairlead::format {

using json::Json;

namespace {

std::string folded(std::string_view name) {
  std::string plain;
  for (const char c : name)
    if (c != '_') plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return plain;
}

const Json* find_folded(const Json& object, std::string_view plain) {
  for (const Json::Member& member : object.members())
    if (folded(member.key) == plain) return &member.value;
  return nullptr;
}

// Docker's names of what is called otherwise here.
struct Alias {
  std::string_view docker, ours;
};
constexpr auto kAliases = std::to_array<Alias>({{"createdat", "created"},
                                                {"driver", "backend"},
                                                {"driver", "mode"},
                                                {"networkid", "id"},
                                                {"volume", "name"},
                                                {"enableipv6", "ipv6"},
                                                {"type", "kind"}});

const Json* find_known(const Json& object, std::string_view plain) {
  if (const Json* found = find_folded(object, plain)) return found;
  for (const char* inner : {"state", "options"})
    if (const Json* part = object.find(inner); part != nullptr && part->is_object())
      if (const Json* found = find_folded(*part, plain)) return found;
  return nullptr;
}

// What docker shows and Fairlead does not write down, because it is always so.
std::optional<Json> usual(const Json& object, std::string_view plain) {
  const bool is_network = object.contains("subnets"), is_volume = object.contains("state");
  if (plain == "driver" && is_network) return Json("bridge");
  if (plain == "scope" && (is_network || is_volume)) {
    const Json* mode = find_known(object, "mode");
    return Json(mode != nullptr && *mode == Json("overlay") ? "global" : "local");
  }
  return std::nullopt;
}

}  // namespace

const Json* find_field(const Json& object, std::string_view name, Json& made) {
  if (const Json* exact = object.find(name)) return exact;
  const std::string plain = folded(name);
  if (const Json* known = find_known(object, plain)) return known;
  for (const Alias& alias : kAliases)
    if (alias.docker == plain)
      if (const Json* found = find_known(object, alias.ours)) return found;
  if (auto value = usual(object, plain)) {
    made = std::move(*value);
    return &made;
  }
  return nullptr;
}

std::string closest_field(const Json& object, std::string_view name) {
  std::vector<std::string_view> keys;
  for (const Json::Member& member : object.members()) keys.push_back(member.key);
  return closest_word(folded(name), keys.data(), keys.size());
}

}  // namespace fairlead::format
