#include "plugin-api/native/fields.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include "volume/api/text.h"

namespace fairlead::native {

namespace {
constexpr std::size_t kLongestField = 64;
constexpr std::size_t kLongestKey = 256;

bool token_char(unsigned char c) {
  return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
}
bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }
}  // namespace

Status only_known(const Object& object, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : object.raw().members())
    if (name.size() > kLongestField)
      return fail(Code::kInvalid, "a field of {} bytes is not known; known are {}", name.size(),
                  fmt::join(known, ", "));
  return object.only(known);
}

Result<std::map<std::string, std::string>> strings(const Object& object, std::string_view key) {
  TRY(auto map, object.string_map_or_empty(key));
  for (const auto& [name, value] : map) {
    if (name.empty() || name.size() > kLongestKey)
      return fail(Code::kInvalid, "field {}: a key must have 1 to {} bytes, not {}",
                  object.path_of(key), kLongestKey, name.size());
    if (has_nul(name) || has_nul(value))
      return fail(Code::kInvalid, "field {}: keys and values must not hold a NUL character",
                  object.path_of(key));
  }
  return map;
}

Result<std::optional<std::uint64_t>> size_or_none(const Object& object, std::string_view key) {
  const json::Json* value = object.find(key);
  if (value == nullptr) return std::optional<std::uint64_t>();
  if (value->is_string()) return parsed_or_none<std::uint64_t>(object, key, volume::parse_size);
  TRY(auto bytes, object.integer(key, 1, std::numeric_limits<std::int64_t>::max()));
  return std::optional(static_cast<std::uint64_t>(bytes));
}

Result<std::string> parse_token(std::string_view text, std::size_t most) {
  if (text.empty() || text.size() > most || !std::ranges::all_of(text, token_char))
    return fail(Code::kInvalid,
                "it must have 1 to {} characters, only letters, digits, '_', '.' and '-'", most);
  return std::string(text);
}

Result<std::string> parse_id(std::string_view text) { return parse_token(text, 128); }
Result<std::string> parse_label(std::string_view text) { return parse_token(text, 255); }

std::map<std::string, std::string> texts_of(const std::map<std::string, IpAddress>& addresses) {
  std::map<std::string, std::string> texts;
  for (const auto& [name, address] : addresses) texts[name] = address.to_string();
  return texts;
}

}  // namespace fairlead::native
