#include "base/json/json.h"

#include <algorithm>
#include <cctype>

namespace fairlead::json {

namespace {

bool same_key(std::string_view a, std::string_view b, Keys keys) {
  if (keys == Keys::kExact) return a == b;
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

Result<Object> Object::of(const Json& value, std::string path, Keys keys) {
  if (!value.is_object())
    return fail(Code::kInvalid, "{} must be a JSON object, not {}",
                path.empty() ? "the document" : "field " + path, value.type_name());
  return Object(&value, std::move(path), keys);
}

const Json* Object::find(std::string_view key) const {
  if (const Json* exact = value_->find(key)) return exact->is_null() ? nullptr : exact;
  if (keys_ == Keys::kExact) return nullptr;
  for (const auto& [name, value] : value_->members())
    if (same_key(name, key, keys_)) return value.is_null() ? nullptr : &value;
  return nullptr;
}

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
  const bool too_big = value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX;
  const std::int64_t number = too_big ? INT64_MAX : value->get<std::int64_t>();
  if (too_big || number < least || number > most)
    return fail(Code::kInvalid, "field {} must be {} to {}, not {}", path_of(key), least, most,
                value->dump());
  return number;
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
  if (value->is_boolean()) return value->get<bool>();
  if (value->is_string()) {
    const auto& text = value->string();
    if (same_key(text, "true", Keys::kAnyCase)) return true;
    if (same_key(text, "false", Keys::kAnyCase)) return false;
  }
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
    if (member.is_string())
      strings[name] = member.string();
    else if (member.is_number() || member.is_boolean())
      strings[name] = member.dump();
    else
      return fail(Code::kInvalid, "field {}.{} must be a string, not {}", path_of(key), name,
                  member.type_name());
  }
  return strings;
}

Status Object::only(std::initializer_list<std::string_view> known) const {
  for (const Json::Member& member : value_->members()) {
    const std::string& name = member.key;
    const bool found = std::ranges::any_of(
        known, [&](std::string_view key) { return same_key(key, name, keys_); });
    if (found) continue;
    const std::string closest = closest_word(name, known.begin(), known.size());
    return fail(Code::kInvalid, "field {} is not known{}", path_of(name),
                closest.empty() ? "" : fmt::format("; did you mean \"{}\"?", closest));
  }
  return {};
}

}  // namespace fairlead::json
