// Options as users write them (key=value) read into a struct and shown again, by one table:
//
//   constexpr auto kRows = std::to_array<options::Row<Wall>>({
//       options::row<&Wall::height, parse_size, format_size>("height"),
//       options::row<&Wall::is_painted, parse_bool>("painted", "com.example.paint"),
//       {.name = "roof", .hint = "a wall has none; make a house"},
//   });
//   constexpr options::Table<Wall> kOptions{.noun = "wall option", .rows = kRows};
//
//   TRY(auto wall, options::parse(kOptions, {{"height", "2k"}, {"com.example.paint", "no"}}));
//   options::to_map(kOptions, wall);  // {{"height", "2k"}}
//
// The struct copies and compares, and a default-constructed one has the defaults. Errors are
// kInvalid, name the option and show the value: an unknown option with the closest known one, the
// same option twice with values that differ, what a row refuses.
#pragma once

#include <concepts>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fairlead::options {

template <class T>
struct Row {
  std::string_view name;
  std::string_view alias = {};  // the same option in another protocol's words
  // Without it this version does not have the option: kUnsupported, with the hint.
  Status (*set)(T& into, std::string_view text) = nullptr;
  // Canonical text, which `set` reads to the same value; empty for the default. Without it the
  // option is another spelling of one that is shown.
  std::string (*get)(const T& from) = nullptr;
  std::string_view hint = {};
  // Accepted for others' sake, and proposed to nobody.
  bool silent = false;
};

template <class T>
struct Table {
  std::string_view noun;  // "volume option", for errors
  std::span<const Row<T>> rows;
  std::span<const std::string_view> others = {};  // keys that the caller reads, for suggestions
};

// ---- rows

namespace detail {

template <class M>
struct Member;
template <class C, class V>
struct Member<V C::*> {
  using Class = C;
};

// How most values are shown.
struct Plain {
  std::string operator()(const std::string& text) const { return text; }
  std::string operator()(bool on) const { return on ? "true" : "false"; }
  template <class V>
  std::string operator()(const V& value) const {
    if constexpr (std::integral<V>)
      return std::to_string(value);
    else if constexpr (requires { value.str(); })
      return value.str();
    else if constexpr (requires { value.to_string(); })
      return value.to_string();
    else
      return std::string(to_string(value));
  }
};

}  // namespace detail

// Shows a member that is not as in a default-constructed struct. `Format` takes its value, without
// the std::optional around it.
template <auto Member, auto Format = detail::Plain{}>
std::string get(const typename detail::Member<decltype(Member)>::Class& from) {
  const auto& value = from.*Member;
  if (value == typename detail::Member<decltype(Member)>::Class().*Member) return {};
  if constexpr (requires { value.has_value(); })
    return Format(*value);
  else
    return Format(value);
}

template <auto Member, auto Parse>
Status set(typename detail::Member<decltype(Member)>::Class& into, std::string_view text) {
  TRY(into.*Member, Parse(text));
  return {};
}

// The usual row: one member, read by `Parse`, a Result<value>(std::string_view), and shown by
// `Format`.
template <auto Member, auto Parse, auto Format = detail::Plain{}>
constexpr auto row(std::string_view name, std::string_view alias = {}) {
  return Row<typename detail::Member<decltype(Member)>::Class>{
      .name = name, .alias = alias, .set = set<Member, Parse>, .get = get<Member, Format>};
}

// ---- errors, the same for all tables

std::string quoted(std::string_view noun, std::string_view key);  // `volume option "size"`

// kInvalid for what no record could hold: more than 256 bytes of a key or 4096 of a value, control
// characters, other texts than UTF-8.
Status check_text(std::string_view noun, std::string_view key, std::string_view value);
Status check_count(std::string_view noun, std::size_t count);  // at most 256

// `did you mean "size"?`, or `known are size, uid` (of `listed`) when none of `known` is close.
std::string suggestion(std::string_view word, std::span<const std::string_view> known,
                       std::span<const std::string_view> listed);

struct Given {
  std::string key, value;  // as written
};
tl::unexpected<Error> given_twice(std::string_view noun, std::string_view name, const Given& before,
                                  const Given& again);

// ---- reading and showing

// The names of the options that can be given, in the order of the table.
template <class T>
std::vector<std::string_view> names(const Table<T>& table) {
  std::vector<std::string_view> list(table.others.begin(), table.others.end());
  for (const Row<T>& row : table.rows)
    if (row.set != nullptr && !row.silent) list.push_back(row.name);
  return list;
}

template <class T>
const Row<T>* find(const Table<T>& table, std::string_view key) {
  for (const Row<T>& row : table.rows)
    if (key == row.name || (!row.alias.empty() && key == row.alias)) return &row;
  return nullptr;
}

// Reads options one after the other, for whoever finds them in several places.
template <class T>
class Parser {
 public:
  explicit Parser(const Table<T>& table) : table_(table) {}

  // The same option may be given again with another spelling of its value.
  Status set(std::string_view key, std::string_view value) {
    TRY_STATUS(check_text(table_.noun, key, value));
    const Row<T>* const row = find(table_, key);
    if (row == nullptr) return unknown(key);
    if (row->set == nullptr)
      return fail(Code::kUnsupported, "{} \"{}\" is not available: {}", table_.noun, row->name,
                  row->hint);
    T changed = value_;
    if (auto done = row->set(changed, value); !done)
      return fail(with_context(done.error(), fmt::format("{} \"{}\"", table_.noun, key)));
    const Given given{std::string(key), std::string(value)};
    const auto [before, fresh] = seen_.try_emplace(row->name, given);
    if (!fresh && changed != value_)
      return given_twice(table_.noun, row->name, before->second, given);
    value_ = std::move(changed);
    return {};
  }

  T& value() { return value_; }
  const T& value() const { return value_; }

 private:
  tl::unexpected<Error> unknown(std::string_view key) const {
    const auto listed = names(table_);
    auto known = listed;
    for (const Row<T>& row : table_.rows)
      if (row.set != nullptr && !row.alias.empty()) known.push_back(row.alias);
    return fail(Code::kInvalid, "unknown {}; {}", quoted(table_.noun, key),
                suggestion(key, known, listed));
  }

  const Table<T>& table_;
  T value_;
  std::map<std::string_view, Given> seen_;  // by the name of the row
};

template <class T>
Result<T> parse(const Table<T>& table, const std::map<std::string, std::string>& options) {
  TRY_STATUS(check_count(table.noun, options.size()));
  Parser<T> parser(table);
  for (const auto& [key, value] : options) TRY_STATUS(parser.set(key, value));
  return std::move(parser.value());
}

// The inverse of parse(), without defaults. Equal values give equal maps.
template <class T>
std::map<std::string, std::string> to_map(const Table<T>& table, const T& value) {
  std::map<std::string, std::string> map;
  for (const Row<T>& row : table.rows) {
    std::string text = row.get == nullptr ? std::string() : row.get(value);
    if (!text.empty()) map.emplace(row.name, std::move(text));
  }
  return map;
}

}  // namespace fairlead::options
