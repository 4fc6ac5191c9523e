// JSON as text: the only file that sees nlohmann_json.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <utility>

#include "base/json/json.h"

namespace fairlead::json {

namespace {

// ---- printing

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

constexpr int kMostLevels = 64;

// The parser keeps its own stack, but printing and comparing recurse: bound the depth before
// parsing.
bool too_deep(std::string_view text) {
  int level = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++level > kMostLevels) return true;
    } else if (c == '}' || c == ']') {
      --level;
    }
  }
  return false;
}

}  // namespace

std::string Json::dump(int indent) const { return text_of(*this, Order::kAsAdded, indent); }
std::string Json::sorted_dump(int indent) const { return text_of(*this, Order::kSorted, indent); }
std::ostream& operator<<(std::ostream& out, const Json& value) { return out << value.dump(); }

std::string dump(const Json& value) { return value.sorted_dump(); }

Result<Json> parse(std::string_view text) {
  if (too_deep(text))
    return fail(Code::kInvalid, "the JSON is nested deeper than {} levels", kMostLevels);
  Builder builder;
  if (nlohmann::json::sax_parse(text, &builder)) return std::move(builder.root);
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return fail(Code::kInvalid, "the JSON is empty");
  return fail(Code::kInvalid, "the text is not valid JSON (at byte {} of {})", builder.error_at,
              text.size());
}

Json Json::parse(std::string_view text) {
  auto parsed = json::parse(text);
  if (!parsed) throw std::logic_error(parsed.error().text);
  return std::move(*parsed);
}

}  // namespace fairlead::json
