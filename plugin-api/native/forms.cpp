#include "plugin-api/native/forms.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include "base/host.h"
#include "base/options/values.h"

namespace fairlead::native {

namespace {
constexpr std::size_t kLongestKey = 256;

bool token_char(unsigned char c) {
  return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
}
bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }
}  // namespace

Result<std::string> parse_token(std::string_view text, std::size_t most) {
  if (text.empty() || text.size() > most || !std::ranges::all_of(text, token_char))
    return fail(Code::kInvalid,
                "it must have 1 to {} characters, only letters, digits, '_', '.' and '-'", most);
  return std::string(text);
}

Result<std::string> parse_id(std::string_view text) { return parse_token(text, 128); }
Result<std::string> parse_label(std::string_view text) { return parse_token(text, 255); }

Result<std::string> parse_container(std::string_view text) {
  if (!text.empty() && text.size() <= 255 &&
      std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c != 0x7f; }))
    return std::string(text);
  return fail(Code::kInvalid, "it must have 1 to 255 characters, none of them blank");
}

Status check_text(const json::Slot& map, std::string_view key, std::string_view value) {
  if (key.empty() || key.size() > kLongestKey)
    return fail(Code::kInvalid, "field {}: a key must have 1 to {} bytes, not {}", map.path(),
                kLongestKey, key.size());
  if (has_nul(key) || has_nul(value))
    return fail(Code::kInvalid, "field {}: keys and values must not hold a NUL character",
                map.path());
  return {};
}

Result<Texts> read_texts(const json::Slot& slot) {
  TRY(auto texts, json::texts_by_name(slot));
  for (const auto& [key, value] : texts) TRY_STATUS(check_text(slot, key, value));
  return texts;
}
json::Json write_texts(const Texts& texts) { return texts; }

Result<std::uint64_t> read_size(const json::Slot& slot) {
  if (slot.value().is_string()) {
    auto size = parse_size(slot.value().string());
    if (!size) return fail(slot.located(std::move(size.error())));
    return *size;
  }
  TRY(const auto bytes, json::integer(slot, 1, std::numeric_limits<std::int64_t>::max()));
  return static_cast<std::uint64_t>(bytes);
}
json::Json write_size(const std::uint64_t& bytes) { return bytes; }

Result<long long> read_time(const json::Slot& slot) {
  if (!slot.value().is_string()) return slot.wrong("a time");
  auto seconds = parse_rfc3339(slot.value().string());
  if (!seconds) return fail(slot.located(std::move(seconds.error())));
  return seconds;
}
json::Json write_time(const long long& seconds) { return rfc3339(seconds); }

json::Json written(const network::DriverRecord& links) {
  json::Json object = json::Json::object();
  for (const auto& [name, value] : links.shown) {
    const bool boolean = value == "true" || value == "false";
    object.add(name, boolean ? json::Json(value == "true") : json::Json(value));
  }
  return object;
}

network::DriverRecord read_links(const json::Json& object, std::span<const json::Field> rows) {
  network::DriverRecord links;
  for (const auto& member : object.members()) {
    const std::string& name = member.key;
    const json::Json& value = member.value;
    const bool known =
        std::ranges::any_of(rows, [&](const json::Field& row) { return row.key == name; });
    if (known) continue;
    if (value.is_string()) links.shown[name] = value.string();
    if (value.is_boolean()) links.shown[name] = value.boolean() ? "true" : "false";
  }
  return links;
}

}  // namespace fairlead::native
