#include "base/json/json.h"

#include <algorithm>
#include <cctype>

#include "base/json/scalars.h"

namespace fairlead::json {

bool same_key(std::string_view a, std::string_view b, Keys keys) {
  if (keys == Keys::kExact) return a == b;
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

const Json* find_member(const Json& object, std::string_view key, Keys keys) {
  if (const Json* exact = object.find(key)) return exact->is_null() ? nullptr : exact;
  if (keys == Keys::kExact) return nullptr;
  for (const auto& [name, value] : object.members())
    if (same_key(name, key, keys)) return value.is_null() ? nullptr : &value;
  return nullptr;
}

std::optional<bool> as_boolean(const Json& value) {
  if (value.is_boolean()) return value.boolean();
  if (!value.is_string()) return std::nullopt;
  if (same_key(value.string(), "true", Keys::kAnyCase)) return true;
  if (same_key(value.string(), "false", Keys::kAnyCase)) return false;
  return std::nullopt;
}

std::optional<std::int64_t> as_integer(const Json& value, std::int64_t least, std::int64_t most) {
  if (value.is_number_unsigned() && value.unsigned_integer() > INT64_MAX) return std::nullopt;
  const std::int64_t number = value.integer();
  if (number < least || number > most) return std::nullopt;
  return number;
}

std::optional<std::string> as_text(const Json& value) {
  if (value.is_string()) return value.string();
  if (value.is_number() || value.is_boolean()) return value.dump();
  return std::nullopt;
}

tl::unexpected<Error> unknown_field(const std::string& path, std::string_view key,
                                    std::span<const std::string_view> known) {
  const std::string closest = closest_word(key, known.data(), known.size());
  return fail(Code::kInvalid, "field {} is not known{}", path,
              closest.empty() ? "" : fmt::format("; did you mean \"{}\"?", closest));
}

Result<Object> Object::of(const Json& value, std::string path, Keys keys) {
  if (!value.is_object())
    return fail(Code::kInvalid, "{} must be a JSON object, not {}",
                path.empty() ? "the document" : "field " + path, value.type_name());
  return Object(&value, std::move(path), keys);
}

const Json* Object::find(std::string_view key) const { return find_member(*value_, key, keys_); }

std::string Object::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

tl::unexpected<Error> Object::wrong(std::string_view key, std::string_view expected) const {
  const Json* value = find(key);
  if (value == nullptr) return fail(Code::kInvalid, "field {} is missing", path_of(key));
  return fail(Code::kInvalid, "field {} must be {}, not {}", path_of(key), expected,
              value->type_name());
}

Result<std::string> Object::string(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr || !value->is_string()) return wrong(key, "a string");
  return value->get<std::string>();
}

Result<std::int64_t> Object::integer(std::string_view key, std::int64_t least,
                                     std::int64_t most) const {
  const Json* value = find(key);
  if (value == nullptr || !value->is_number_integer()) return wrong(key, "an integer");
  const auto number = as_integer(*value, least, most);
  if (!number)
    return fail(Code::kInvalid, "field {} must be {} to {}, not {}", path_of(key), least, most,
                value->dump());
  return *number;
}

Result<Object> Object::object(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return wrong(key, "an object");
  return of(*value, path_of(key), keys_);
}

Result<std::string> Object::string_or(std::string_view key, std::string fallback) const {
  if (find(key) == nullptr) return fallback;
  return string(key);
}

Result<std::int64_t> Object::integer_or(std::string_view key, std::int64_t least, std::int64_t most,
                                        std::int64_t fallback) const {
  if (find(key) == nullptr) return fallback;
  return integer(key, least, most);
}

Result<bool> Object::bool_or(std::string_view key, bool fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (const auto boolean = as_boolean(*value)) return *boolean;
  return wrong(key, "true or false");
}

Result<std::optional<Object>> Object::object_or_none(std::string_view key) const {
  if (find(key) == nullptr) return std::optional<Object>();
  TRY(auto found, object(key));
  return std::optional<Object>(std::move(found));
}

Result<std::vector<std::string>> Object::strings_or_empty(std::string_view key) const {
  std::vector<std::string> strings;
  const Json* value = find(key);
  if (value == nullptr) return strings;
  if (!value->is_array()) return wrong(key, "an array of strings");
  for (const Json& element : *value) {
    if (!element.is_string())
      return fail(Code::kInvalid, "field {}[{}] must be a string, not {}", path_of(key),
                  strings.size(), element.type_name());
    strings.push_back(element.get<std::string>());
  }
  return strings;
}

Result<std::vector<Object>> Object::objects_or_empty(std::string_view key) const {
  std::vector<Object> objects;
  const Json* value = find(key);
  if (value == nullptr) return objects;
  if (!value->is_array()) return wrong(key, "an array of objects");
  for (const Json& element : *value) {
    TRY(auto object, of(element, fmt::format("{}[{}]", path_of(key), objects.size()), keys_));
    objects.push_back(std::move(object));
  }
  return objects;
}

Result<std::map<std::string, std::string>> Object::string_map_or_empty(std::string_view key) const {
  std::map<std::string, std::string> strings;
  const Json* value = find(key);
  if (value == nullptr) return strings;
  if (!value->is_object()) return wrong(key, "an object of strings");
  for (const auto& [name, member] : value->members()) {
    auto text = as_text(member);
    if (!text)
      return fail(Code::kInvalid, "field {}.{} must be a string, not {}", path_of(key), name,
                  member.type_name());
    strings[name] = std::move(*text);
  }
  return strings;
}

Status Object::only(std::initializer_list<std::string_view> known) const {
  for (const Json::Member& member : value_->members()) {
    const std::string& name = member.key;
    const bool found = std::ranges::any_of(
        known, [&](std::string_view key) { return same_key(key, name, keys_); });
    if (found) continue;
    return unknown_field(path_of(name), name, {known.begin(), known.size()});
  }
  return {};
}

}  // namespace fairlead::json
