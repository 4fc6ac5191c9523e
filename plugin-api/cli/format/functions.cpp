#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "plugin-api/cli/format/nodes.h"

namespace fairlead::format {

using json::Json;

namespace {

using Values = std::vector<Json>;
constexpr std::size_t kMany = 64;
constexpr std::size_t kWidest = 1000;

std::string changed(std::string_view text, char (*change)(char)) {
  std::string all(text);
  std::ranges::transform(all, all.begin(), change);
  return all;
}
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

Result<std::string> text_at(const Values& values, std::size_t index) {
  const Json& value = values[index];
  if (value.is_array() || value.is_object())
    return fail(Code::kInvalid, "it takes a text, and not an {}", value.type_name());
  return value.is_null() ? std::string() : text_of(value);
}

Result<std::int64_t> number_at(const Values& values, std::size_t index) {
  if (!values[index].is_number_integer())
    return fail(Code::kInvalid, "it takes a number, and not {}", text_of(values[index]));
  return values[index].integer();
}

Result<Json> to_json(const Values& values) { return Json(values[0].dump()); }
Result<Json> to_pretty_json(const Values& values) { return Json(values[0].dump(2)); }

template <char (*change)(char)>
Result<Json> with_case(const Values& values) {
  TRY(const auto text, text_at(values, 0));
  return Json(changed(text, change));
}

Result<Json> title(const Values& values) {
  TRY(auto text, text_at(values, 0));
  for (std::size_t i = 0; i < text.size(); ++i)
    if (i == 0 || text[i - 1] == ' ') text[i] = upper(text[i]);
  return Json(text);
}

Result<Json> length(const Values& values) {
  const Json& value = values[0];
  if (value.is_string()) return Json(value.string().size());
  if (value.is_array() || value.is_object() || value.is_null()) return Json(value.size());
  return fail(Code::kInvalid, "it takes a text or a list, and not {}", text_of(value));
}

// join LIST SEPARATOR, as docker has it.
Result<Json> join(const Values& values) {
  TRY(const auto separator, text_at(values, 1));
  std::string text;
  bool first = true;
  const auto add = [&](const std::string& one) {
    text += (first ? "" : separator) + one;
    first = false;
  };
  for (const Json::Member& member : values[0].members())
    add(member.key + "=" + text_of(member.value));
  if (values[0].is_array())
    for (const Json& one : values[0]) add(text_of(one));
  else if (!values[0].is_object() && !values[0].is_null())
    add(text_of(values[0]));
  return Json(text);
}

Result<Json> split(const Values& values) {
  TRY(const auto text, text_at(values, 0));
  TRY(const auto separator, text_at(values, 1));
  Json parts = Json::array();
  std::size_t begin = 0;
  while (!separator.empty()) {
    const std::size_t end = text.find(separator, begin);
    if (end == std::string::npos) break;
    parts.push_back(text.substr(begin, end - begin));
    begin = end + separator.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

// pad TEXT BEFORE BEHIND
Result<Json> pad(const Values& values) {
  TRY(const auto text, text_at(values, 0));
  TRY(const auto before, number_at(values, 1));
  TRY(const auto behind, number_at(values, 2));
  const auto spaces = [](std::int64_t count) {
    return std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, kWidest)), ' ');
  };
  return text.empty() ? Json(text) : Json(spaces(before) + text + spaces(behind));
}

// truncate TEXT LENGTH, in characters
Result<Json> truncate(const Values& values) {
  TRY(const auto text, text_at(values, 0));
  TRY(const auto most, number_at(values, 1));
  std::int64_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80U && ++count > most)
      return Json(text.substr(0, i));
  return Json(text);
}

Result<Json> index(const Values& values) {
  Json value = values[0];
  for (std::size_t i = 1; i < values.size(); ++i) {
    Json made;
    const Json* found = nullptr;
    if (value.is_object() && values[i].is_string()) {
      found = value.find(values[i].string());
    } else if (value.is_array()) {
      TRY(const auto at, number_at(values, i));
      if (at >= 0 && static_cast<std::size_t>(at) < value.size()) found = &value[at];
    } else if (!value.is_null()) {
      return fail(Code::kInvalid, "nothing in {} has an index", text_of(value));
    }
    Json next = found == nullptr ? Json() : *found;
    value = std::move(next);
  }
  return value;
}

Result<Json> print(const Values& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool apart = i > 0 && !values[i].is_string() && !values[i - 1].is_string();
    text += (apart ? " " : "") + text_of(values[i]);
  }
  return Json(text);
}

Result<Json> println(const Values& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) text += (i > 0 ? " " : "") + text_of(values[i]);
  return Json(text + "\n");
}

// One %...verb with a value: flags - and 0, a width.
Result<std::string> formatted(std::string_view form, const Json& value) {
  const char verb = form.back();
  form = form.substr(1, form.size() - 2);
  const bool left = form.starts_with('-'), zeros = form.starts_with('0');
  std::size_t width = 0;
  for (const char c : form) {
    if (c == '-' && width == 0) continue;
    if (c < '0' || c > '9') return fail(Code::kInvalid, "%{}{} is not known", form, verb);
    width = std::min(kWidest, width * 10 + static_cast<std::size_t>(c - '0'));
  }
  std::string text = text_of(value);
  if (verb == 'q') text = Json(text).dump();
  if (verb == 'd' && !value.is_number_integer())
    return fail(Code::kInvalid, "%d takes a number, and not {}", text);
  if (verb == 'x' && value.is_number_integer()) text = fmt::format("{:x}", value.integer());
  if (std::string_view("vsdqtx").find(verb) == std::string_view::npos)
    return fail(Code::kInvalid, "%{} is not known; use %v, %s, %d, %q, %t or %x", verb);
  if (left) return fmt::format("{:<{}}", text, width);
  return zeros ? fmt::format("{:0>{}}", text, width) : fmt::format("{:>{}}", text, width);
}

Result<Json> printf(const Values& values) {
  TRY(const auto form, text_at(values, 0));
  std::string text;
  std::size_t next = 1;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] != '%') {
      text += form[i];
      continue;
    }
    const std::size_t verb = form.find_first_not_of("-+ #.0123456789", i + 1);
    if (verb == std::string::npos) return fail(Code::kInvalid, "\"{}\" ends within a %", form);
    if (form[verb] == '%') {
      text += '%';
    } else {
      if (next >= values.size())
        return fail(Code::kInvalid, "\"{}\" asks for more values than there are", form);
      TRY(const auto one, formatted(form.substr(i, verb - i + 1), values[next++]));
      text += one;
    }
    i = verb;
  }
  return Json(text);
}

Result<Json> not_(const Values& values) { return Json(!is_true(values[0])); }

// One of several, as in Go: eq .mode "bridge" "overlay".
Result<Json> eq(const Values& values) {
  return Json(std::any_of(values.begin() + 1, values.end(),
                          [&](const Json& other) { return values[0] == other; }));
}
Result<Json> ne(const Values& values) { return Json(!(values[0] == values[1])); }

Result<int> order(const Values& values) {
  const Json &a = values[0], &b = values[1];
  if (a.is_number() && b.is_number()) return a.real() < b.real() ? -1 : a.real() > b.real() ? 1 : 0;
  if (a.is_string() && b.is_string()) return a.string().compare(b.string());
  return fail(Code::kInvalid, "{} and {} cannot be compared", text_of(a), text_of(b));
}

template <bool (*holds)(int)>
Result<Json> compare(const Values& values) {
  TRY(const int by, order(values));
  return Json(holds(by));
}
bool less(int by) { return by < 0; }
bool less_or_equal(int by) { return by <= 0; }
bool greater(int by) { return by > 0; }
bool greater_or_equal(int by) { return by >= 0; }

struct Function {
  std::string_view name;
  std::size_t least, most;  // arguments
  Result<Json> (*run)(const Values&);
};

constexpr auto kFunctions = std::to_array<Function>({
    {"json", 1, 1, to_json},
    {"prettyjson", 1, 1, to_pretty_json},
    {"lower", 1, 1, with_case<lower>},
    {"upper", 1, 1, with_case<upper>},
    {"title", 1, 1, title},
    {"len", 1, 1, length},
    {"join", 2, 2, join},
    {"split", 2, 2, split},
    {"pad", 3, 3, pad},
    {"truncate", 2, 2, truncate},
    {"index", 1, kMany, index},
    {"print", 0, kMany, print},
    {"println", 0, kMany, println},
    {"printf", 1, kMany, printf},
    {"not", 1, 1, not_},
    {"and", 1, kMany, nullptr},
    {"or", 1, kMany, nullptr},
    {"eq", 2, kMany, eq},
    {"ne", 2, 2, ne},
    {"lt", 2, 2, compare<less>},
    {"le", 2, 2, compare<less_or_equal>},
    {"gt", 2, 2, compare<greater>},
    {"ge", 2, 2, compare<greater_or_equal>},
});

const Function* find_function(std::string_view name) {
  const auto* found = std::ranges::find(kFunctions, name, &Function::name);
  return found == kFunctions.end() ? nullptr : found;
}

}  // namespace

bool is_function(std::string_view name) { return find_function(name) != nullptr; }

std::string closest_function(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Function& one : kFunctions) names.push_back(one.name);
  return closest_word(name, names.data(), names.size());
}

Result<Json> call(std::string_view name, const Values& arguments) {
  const Function& function = *find_function(name);
  if (arguments.size() < function.least || arguments.size() > function.most)
    return fail(Code::kInvalid, "{} takes {}{} value{}, and not {}", name, function.least,
                function.most == kMany ? " or more" : "", function.least == 1 ? "" : "s",
                arguments.size());
  return function.run(arguments);
}

std::string text_of(const Json& value) {
  if (value.is_null()) return "<no value>";
  if (value.is_string()) return value.string();
  const auto& members = value.members();
  const bool flat =
      value.is_object() && std::ranges::all_of(members, [](const Json::Member& member) {
        return !member.value.is_object() && !member.value.is_array();
      });
  if (!flat) return value.dump();
  std::string text;  // labels, as docker lists them
  for (const Json::Member& member : members)
    text += (text.empty() ? "" : ",") + member.key + "=" + text_of(member.value);
  return text;
}

bool is_true(const Json& value) {
  if (value.is_boolean()) return value.boolean();
  if (value.is_number()) return value.real() != 0;
  if (value.is_string()) return !value.string().empty();
  return !value.empty();
}

}  // namespace fairlead::format
