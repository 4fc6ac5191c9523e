#include "base/json/value.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <utility>

#include "base/json/json.h"

namespace fairlead::json {

namespace {

const Json kNull;

[[noreturn]] void wrong_kind(const Json& value, std::string_view wanted) {
  throw std::logic_error("a JSON value is not " + std::string(wanted) + ", but " +
                         std::string(value.type_name()));
}

// ---- text

enum class Order { kAsAdded, kSorted };

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text,
                             [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

void write_string(std::string_view text, std::string& out) {
  if (is_plain(text)) {
    out += '"';
    out += text;
    out += '"';
    return;
  }
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// nlohmann_json's form of a number: the shortest that reads back as the same, always with a point or
// an exponent; null for what JSON cannot say.
std::string real_text(double value) { return nlohmann::json(value).dump(); }

class Writer {
 public:
  Writer(std::string& out, Order order, int indent) : out_(out), order_(order), indent_(indent) {}

  void write(const Json& value) {
    if (value.is_object())
      write_object(value.members());
    else if (value.is_array())
      write_array(value);
    else if (value.is_string())
      write_string(value.string(), out_);
    else if (value.is_number_unsigned())
      out_ += std::to_string(value.unsigned_integer());
    else if (value.is_number_integer())
      out_ += std::to_string(value.integer());
    else if (value.is_number())
      out_ += real_text(value.real());
    else
      out_ += value.is_null() ? "null" : value.boolean() ? "true" : "false";
  }

 private:
  void write_object(const Json::Members& members) {
    std::vector<const Json::Member*> sorted;
    sorted.reserve(members.size());
    for (const Json::Member& member : members) sorted.push_back(&member);
    if (order_ == Order::kSorted)
      std::ranges::sort(
          sorted, {}, [](const Json::Member* member) -> const std::string& { return member->key; });
    open('{');
    for (const Json::Member* member : sorted) {
      next(member == sorted.front());
      write_string(member->key, out_);
      out_ += indent_ > 0 ? ": " : ":";
      write(member->value);
    }
    close('}', members.empty());
  }

  void write_array(const Json& array) {
    open('[');
    for (const Json& element : array) {
      next(&element == array.begin());
      write(element);
    }
    close(']', array.empty());
  }

  void open(char bracket) {
    out_ += bracket;
    ++level_;
  }
  void next(bool is_first) {
    if (!is_first) out_ += ',';
    break_line();
  }
  void close(char bracket, bool is_empty) {
    --level_;
    if (!is_empty) break_line();
    out_ += bracket;
  }
  void break_line() {
    if (indent_ <= 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(level_ * indent_), ' ');
  }

  std::string& out_;
  const Order order_;
  const int indent_;
  int level_ = 0;
};

std::string text_of(const Json& value, Order order, int indent) {
  std::string out;
  Writer(out, order, indent).write(value);
  return out;
}

// ---- parsing

// Of members with the same key the last one counts, as in nlohmann_json; they are sorted, so that this
// takes no longer for objects of many members.
void drop_repeated(Json::Members& members) {
  std::ranges::stable_sort(members, {}, &Json::Member::key);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i + 1 < members.size() && members[i + 1].key == members[i].key) continue;
    if (kept != i) members[kept] = std::move(members[i]);
    ++kept;
  }
  members.erase(members.begin() + static_cast<std::ptrdiff_t>(kept), members.end());
}

// Builds the value while the text is parsed (SAX).
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Json root;
  std::size_t error_at = 0;

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Frame{.members = {}, .is_object = true}); }
  bool start_array(std::size_t) override { return open(Frame{}); }
  bool key(string_t& text) override {
    frames_.back().key = std::move(text);
    return true;
  }
  bool end_object() override {
    Frame frame = pop();
    drop_repeated(frame.members);
    Json object = Json::object();
    for (Json::Member& member : frame.members)
      object.add(std::move(member.key), std::move(member.value));
    return add(std::move(object));
  }
  bool end_array() override {
    Frame frame = pop();
    Json array = Json::array();
    for (Json::Member& member : frame.members) array.push_back(std::move(member.value));
    return add(std::move(array));
  }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::json::exception&) override {
    error_at = at;
    return false;
  }

 private:
  // An object or array that is not closed yet.
  struct Frame {
    Json::Members members;  // of an array: without keys
    bool is_object = false;
    std::string key;  // of the next member
  };

  bool open(Frame frame) {
    frames_.push_back(std::move(frame));
    return true;
  }
  Frame pop() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    return frame;
  }
  bool add(Json value) {
    if (frames_.empty())
      root = std::move(value);
    else
      frames_.back().members.push_back({std::move(frames_.back().key), std::move(value)});
    return true;
  }

  std::vector<Frame> frames_;
};

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
Json Json::parse(std::string_view text) {
  auto parsed = json::parse(text);
  if (!parsed) throw std::logic_error(parsed.error().text);
  return std::move(*parsed);
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

const Json::Members& Json::members() const {
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

// ---- the whole

std::string Json::dump(int indent) const { return text_of(*this, Order::kAsAdded, indent); }
std::string Json::sorted_dump(int indent) const { return text_of(*this, Order::kSorted, indent); }

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

std::ostream& operator<<(std::ostream& out, const Json& value) { return out << value.dump(); }

// ---- json.h

Result<Json> parse_within_limits(std::string_view text) {
  Builder builder;
  if (nlohmann::json::sax_parse(text, &builder)) return std::move(builder.root);
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return fail(Code::kInvalid, "the JSON is empty");
  return fail(Code::kInvalid, "the text is not valid JSON (at byte {} of {})", builder.error_at,
              text.size());
}

}  // namespace fairlead::json
