#include "base/json/value.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace fairlead::json {

namespace {

[[noreturn]] void wrong_kind(const Json& value, std::string_view wanted) {
  throw std::logic_error("a JSON value is not " + std::string(wanted) + ", but " +
                         std::string(value.type_name()));
}

}  // namespace

// ---- making one

Json::Json() noexcept = default;
Json::Json(std::nullptr_t) noexcept {}
Json::Json(const char* text) : value_(std::string(text)) {}
Json::Json(std::string_view text) : value_(std::string(text)) {}
Json::Json(std::string text) : value_(std::move(text)) {}
Json::Json(const std::vector<std::string>& texts) : value_(Array(texts.begin(), texts.end())) {}
Json::Json(const std::map<std::string, std::string>& members) : value_(Members()) {
  for (const auto& [key, text] : members) add(key, text);
}
Json::Json(std::initializer_list<Json> values) {
  const auto is_member = [](const Json& value) {
    return value.is_array() && value.size() == 2 && value.front().is_string();
  };
  if (!std::ranges::all_of(values, is_member)) {
    value_ = Array(values);
    return;
  }
  value_ = Members();
  for (const Json& value : values) add(value.front().string(), value.back());
}

Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Json Json::array() { return array({}); }
Json Json::array(std::initializer_list<Json> values) {
  Json made;
  made.value_ = Array(values);
  return made;
}
Json Json::object() {
  Json made;
  made.value_ = Members();
  return made;
}

void Json::set_boolean(bool value) { value_ = value; }
void Json::set_integer(std::int64_t value) {
  // As when it is parsed: of numbers that are not negative there is one form.
  if (value >= 0)
    value_ = static_cast<std::uint64_t>(value);
  else
    value_ = value;
}
void Json::set_unsigned(std::uint64_t value) { value_ = value; }
void Json::set_real(double value) { value_ = value; }

// ---- what it is

bool Json::is_null() const { return std::holds_alternative<std::monostate>(value_); }
bool Json::is_boolean() const { return std::holds_alternative<bool>(value_); }
bool Json::is_number() const {
  return is_number_integer() || std::holds_alternative<double>(value_);
}
bool Json::is_number_integer() const {
  return std::holds_alternative<std::int64_t>(value_) || is_number_unsigned();
}
bool Json::is_number_unsigned() const { return std::holds_alternative<std::uint64_t>(value_); }
bool Json::is_string() const { return std::holds_alternative<std::string>(value_); }
bool Json::is_array() const { return std::holds_alternative<Array>(value_); }
bool Json::is_object() const { return std::holds_alternative<Members>(value_); }

std::string_view Json::type_name() const {
  if (is_null()) return "null";
  if (is_boolean()) return "boolean";
  if (is_string()) return "string";
  if (is_array()) return "array";
  return is_object() ? "object" : "number";
}

bool Json::boolean() const {
  if (const bool* held = std::get_if<bool>(&value_)) return *held;
  wrong_kind(*this, "a boolean");
}
const std::string& Json::string() const {
  if (const auto* held = std::get_if<std::string>(&value_)) return *held;
  wrong_kind(*this, "a string");
}
std::int64_t Json::integer() const {
  if (const auto* held = std::get_if<std::uint64_t>(&value_))
    return static_cast<std::int64_t>(*held);
  if (const auto* held = std::get_if<std::int64_t>(&value_)) return *held;
  wrong_kind(*this, "an integer");
}
std::uint64_t Json::unsigned_integer() const { return static_cast<std::uint64_t>(integer()); }
double Json::real() const {
  if (const auto* held = std::get_if<double>(&value_)) return *held;
  if (is_number_unsigned()) return static_cast<double>(unsigned_integer());
  return static_cast<double>(integer());
}

std::size_t Json::size() const {
  if (const auto* elements = std::get_if<Array>(&value_)) return elements->size();
  if (const auto* members = std::get_if<Members>(&value_)) return members->size();
  return is_null() ? 0 : 1;
}

// ---- elements

const Json* Json::begin() const {
  if (is_object()) wrong_kind(*this, "an array");
  const auto* elements = std::get_if<Array>(&value_);
  return elements == nullptr ? nullptr : elements->data();
}
const Json* Json::end() const {
  const auto* elements = std::get_if<Array>(&value_);
  return elements == nullptr ? nullptr : elements->data() + elements->size();
}
Json* Json::begin() { return const_cast<Json*>(std::as_const(*this).begin()); }
Json* Json::end() { return const_cast<Json*>(std::as_const(*this).end()); }

const Json& Json::element(std::size_t index) const {
  if (const auto* elements = std::get_if<Array>(&value_)) return elements->at(index);
  wrong_kind(*this, "an array");
}
void Json::push_back(Json value) {
  if (is_null()) value_ = Array();
  auto* elements = std::get_if<Array>(&value_);
  if (elements == nullptr) wrong_kind(*this, "an array");
  elements->push_back(std::move(value));
}

// ---- members

const Json::Members& Json::members() const& {
  static const Members kNone;
  const auto* members = std::get_if<Members>(&value_);
  return members == nullptr ? kNone : *members;
}
const Json* Json::find(std::string_view key) const {
  const Members& all = members();
  const auto found = std::ranges::find(all, key, &Member::key);
  return found == all.end() ? nullptr : &found->value;
}
const Json& Json::at(std::string_view key) const {
  if (const Json* found = find(key)) return *found;
  throw std::out_of_range("a JSON object has no member " + std::string(key));
}
const Json& Json::operator[](std::string_view key) const {
  const Json* found = find(key);
  static const Json kNull;
  return found == nullptr ? kNull : *found;
}
Json& Json::operator[](std::string_view key) {
  if (const Json* found = find(key)) return const_cast<Json&>(*found);
  add(std::string(key), Json());
  return std::get<Members>(value_).back().value;
}
void Json::erase(std::string_view key) {
  if (auto* members = std::get_if<Members>(&value_))
    std::erase_if(*members, [&](const Member& member) { return member.key == key; });
}
void Json::add(std::string key, Json value) {
  if (is_null()) value_ = Members();
  auto* members = std::get_if<Members>(&value_);
  if (members == nullptr) wrong_kind(*this, "an object");
  members->push_back({std::move(key), std::move(value)});
}

bool Json::equal(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_number_integer() && b.is_number_integer())
      return a.integer() == b.integer() && a.is_number_unsigned() == b.is_number_unsigned();
    return a.real() == b.real();
  }
  if (a.value_.index() != b.value_.index() || a.size() != b.size()) return false;
  if (a.is_boolean()) return a.boolean() == b.boolean();
  if (a.is_string()) return a.string() == b.string();
  if (!a.is_object()) return std::ranges::equal(a, b);
  return std::ranges::all_of(a.members(), [&](const Member& member) {
    const Json* other = b.find(member.key);
    return other != nullptr && *other == member.value;
  });
}

}  // namespace fairlead::json
