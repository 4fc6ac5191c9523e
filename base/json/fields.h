// One table of fields for each struct and form of it: documents are written and read by the table.
//
//   constexpr auto kRoute = fields(required<&Route::destination>("to"),
//                                  sparse<&Route::via>("via"),
//                                  sparse<&Route::mtu>("mtu", Range{0, 65535}));
//   constexpr auto kEndpoint = fields(required<&Endpoint::id>("id"),
//                                     sparse<&Endpoint::routes>("routes", object(kRoute)));
//
//   std::string text = dump(write(endpoint, kEndpoint));
//   TRY(const Endpoint again, read(document, kEndpoint));
//
// A table is data: one loop in fields.cpp walks over all of them, so that a struct more costs no
// code but a few accessors. (Rejected: Boost.Describe, whose visitors are compiled anew for each
// struct, and which has no place for keys, ranges and presence.)
//
// Errors are kInvalid and begin with the path of the field ("field subnets[0].gateway: ...").
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/json/json.h"
#include "base/json/slot.h"

namespace fairlead::json {

struct Field;

// How one value of type T looks in a document, in the innermost of the containers around it.
// (One struct for all, so that tables are constant data; a form uses the members that it needs.)
struct AnyForm {
  Status (*read)(const AnyForm& form, const Slot& slot, void* into) = nullptr;
  Json (*write)(const AnyForm& form, const void* value) = nullptr;
  std::string_view many = "strings";                         // what an array of them is made of
  std::int64_t least = 0, most = 0;                          // of a number
  std::span<const Field> table = {};                         // of an object
  Status (*check)(const Slot& slot, void* value) = nullptr;  // of an object, when it is read
};
template <class T>
struct Form : AnyForm {
  using Value = T;
};

enum class Presence : std::uint8_t {
  kRequired,   // always written; a document without it is refused
  kDefaulted,  // always written; when it is absent, the member keeps its value
  kSparse,     // the same, but not written when it is empty: T(), as 0, "", false, std::nullopt
  kWritten,    // only written, unless its value is null; accepted and ignored when it is read
  kIgnored,    // only accepted
};

// One field of an object. Made by required() and its like, below.
struct Field {
  std::string_view key;
  Presence presence = Presence::kRequired;
  AnyForm form;
  void* (*member)(void* object) = nullptr;
  Status (*read)(const Field& field, const Slot& slot, void* member) = nullptr;
  Json (*write)(const Field& field, const void* member) = nullptr;
  bool (*is_empty)(const void* member) = nullptr;
};
template <class T>
struct FieldOf : Field {};

template <class T, std::size_t N>
struct Fields {
  std::array<Field, N> rows;
};
template <class T, class... Rest>
constexpr Fields<T, 1 + sizeof...(Rest)> fields(FieldOf<T> first, Rest... rest) {
  static_assert((std::same_as<FieldOf<T>, Rest> && ...), "all fields must be of one struct");
  return {{static_cast<const Field&>(first), static_cast<const Field&>(rest)...}};
}

// ---- whole documents

Json write_object(const void* object, std::span<const Field> table);
Status read_object(const Slot& slot, std::span<const Field> table, void* into);

template <class T, std::size_t N>
Json write(const T& object, const Fields<T, N>& table) {
  return write_object(&object, table.rows);
}

// Adds the members of one object after those of another; no key may be in both.
void append(Json& object, Json more);

// Reads into what is there: members of absent fields keep their values.
template <class T, std::size_t N>
Status read_into(const Slot& slot, const Fields<T, N>& table, T& object) {
  return read_object(slot, table.rows, &object);
}

template <class T, std::size_t N>
Result<T> read(const Slot& slot, const Fields<T, N>& table) {
  Result<T> object{T()};
  if (auto done = read_object(slot, table.rows, &*object); !done)
    return fail(std::move(done.error()));
  return object;
}
template <class T, std::size_t N>
Result<T> read(const Json& document, const Fields<T, N>& table, Reading reading = {}) {
  return read(Slot(document, reading), table);
}

// For forms of one's own: an object whose values are strings, numbers or booleans, all as text; and
// a number without a fraction.
Result<std::map<std::string, std::string>> texts_by_name(const Slot& slot);
Result<std::int64_t> integer(const Slot& slot, std::int64_t least, std::int64_t most);

// ---- forms

namespace detail {

Status read_string(const AnyForm& form, const Slot& slot, void* into);
Status read_bool(const AnyForm& form, const Slot& slot, void* into);
Status read_strings_by_name(const AnyForm& form, const Slot& slot, void* into);
Status read_nested(const AnyForm& form, const Slot& slot, void* into);
Json write_nested(const AnyForm& form, const void* value);
Result<std::string_view> read_text(const Slot& slot);
Status unknown_word(const Slot& slot, std::span<const std::string_view> known);

template <class T>
Json write_plain(const AnyForm&, const void* value) {
  return Json(*static_cast<const T*>(value));
}

template <class T>
Status read_number(const AnyForm& form, const Slot& slot, void* into) {
  auto number = integer(slot, form.least, form.most);
  if (!number) return fail(std::move(number.error()));
  *static_cast<T*>(into) = static_cast<T>(*number);
  return {};
}

template <class T>
std::string text_of(const T& value) {
  if constexpr (std::same_as<T, std::string>)
    return value;
  else if constexpr (requires { value.to_string(); })
    return value.to_string();
  else if constexpr (requires { value.str(); })
    return value.str();
  else
    return std::string(to_string(value));
}
template <class T>
Json write_text(const AnyForm&, const void* value) {
  return Json(text_of(*static_cast<const T*>(value)));
}

template <auto parse>
using Parsed = typename std::invoke_result_t<decltype(parse), std::string_view>::value_type;

template <auto parse>
Status read_parsed(const AnyForm&, const Slot& slot, void* into) {
  auto text = read_text(slot);
  if (!text) return fail(std::move(text.error()));
  auto value = parse(*text);
  if (!value) return fail(slot.located(std::move(value.error())));
  *static_cast<Parsed<parse>*>(into) = std::move(*value);
  return {};
}

template <auto first, auto... rest>
Status read_word(const AnyForm&, const Slot& slot, void* into) {
  auto text = read_text(slot);
  if (!text) return fail(std::move(text.error()));
  for (const auto value : {first, rest...})
    if (*text == to_string(value)) {
      *static_cast<std::remove_const_t<decltype(first)>*>(into) = value;
      return {};
    }
  const std::string_view known[] = {to_string(first), to_string(rest)...};
  return unknown_word(slot, known);
}

template <auto read>
struct OwnReader;
template <class T, Result<T> (*read)(const Slot&)>
struct OwnReader<read> {
  using Value = T;
  static Status run(const AnyForm&, const Slot& slot, void* into) {
    auto value = read(slot);
    if (!value) return fail(std::move(value.error()));
    *static_cast<T*>(into) = std::move(*value);
    return {};
  }
};

}  // namespace detail

// A number from `least` to `most`. Without one: 0 to what the member holds, at most INT64_MAX.
struct Range {
  std::int64_t least, most;
};
template <std::integral T>
constexpr Form<T> number(Range range) {
  Form<T> form;
  form.read = detail::read_number<T>;
  form.write = detail::write_plain<T>;
  form.least = range.least;
  form.most = range.most;
  form.many = "integers";
  return form;
}

// A text that `parse` takes, a function of std::string_view; written by to_string(), as a member or
// found by its argument, or by str().
template <auto parse>
constexpr Form<detail::Parsed<parse>> text() {
  Form<detail::Parsed<parse>> form;
  form.read = detail::read_parsed<parse>;
  form.write = detail::write_text<detail::Parsed<parse>>;
  return form;
}

// One of these enumerators, as its to_string() spells it.
template <auto first, auto... rest>
constexpr auto one_of() {
  using Enum = std::remove_const_t<decltype(first)>;
  Form<Enum> form;
  form.read = detail::read_word<first, rest...>;
  form.write = detail::write_text<Enum>;
  return form;
}

// An object with fields of its own. `check` sees it when all of them are read; it may use the slot
// to say where it stands.
template <class T, std::size_t N>
constexpr Form<T> object(const Fields<T, N>& table,
                         Status (*check)(const Slot& slot, void* value) = nullptr) {
  Form<T> form;
  form.read = detail::read_nested;
  form.write = detail::write_nested;
  form.many = "objects";
  form.table = table.rows;
  form.check = check;
  return form;
}

// A form of its own: `read` is a Result<T>(const Slot&), `write` a Json(const T&).
template <auto read, auto write>
constexpr auto custom() {
  using T = typename detail::OwnReader<read>::Value;
  Form<T> form;
  form.read = detail::OwnReader<read>::run;
  form.write = [](const AnyForm&, const void* value) -> Json {
    return write(*static_cast<const T*>(value));
  };
  return form;
}
template <class T, Json (*write)(const T&)>  // never read
constexpr Form<T> written_by() {
  Form<T> form;
  form.read = [](const AnyForm&, const Slot&, void*) { return Status(); };
  form.write = [](const AnyForm&, const void* value) -> Json {
    return write(*static_cast<const T*>(value));
  };
  return form;
}
template <auto read>  // never written
constexpr auto custom() {
  Form<typename detail::OwnReader<read>::Value> form;
  form.read = detail::OwnReader<read>::run;
  return form;
}

namespace detail {

template <class T>
constexpr auto default_form() {
  if constexpr (std::same_as<T, std::string>) {
    Form<T> form;
    form.read = read_string;
    form.write = write_plain<T>;
    return form;
  } else if constexpr (std::same_as<T, bool>) {
    Form<T> form;
    form.read = read_bool;
    form.write = write_plain<T>;
    form.many = "booleans";
    return form;
  } else if constexpr (std::integral<T>) {
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    return number<T>({0, static_cast<std::int64_t>(most < INT64_MAX ? most : INT64_MAX)});
  } else if constexpr (std::same_as<T, std::map<std::string, std::string>>) {
    Form<T> form;
    form.read = read_strings_by_name;
    form.write = write_plain<T>;
    return form;
  } else {
    return text<&T::parse>();
  }
}

// The containers between a member and the form: none, std::optional (null, or absent), std::vector
// (an array), std::map from std::string (an object).
Status read_elements(const Field& field, const Slot& slot, void* list, void* (*append)(void*),
                     Status (*read)(const Field&, const Slot&, void*));
Status read_entries(const Field& field, const Slot& slot, void* map,
                    void* (*insert)(void*, const std::string&),
                    Status (*read)(const Field&, const Slot&, void*));

template <class T>
struct Innermost {
  using Type = T;
};
template <class T>
struct Innermost<std::optional<T>> : Innermost<T> {};
template <class T>
struct Innermost<std::vector<T>> : Innermost<T> {};
template <class T>
struct Innermost<std::map<std::string, T>> : Innermost<T> {};
template <>
struct Innermost<std::map<std::string, std::string>> {
  using Type = std::map<std::string, std::string>;
};

template <class T, class Value>
struct Shape {
  static_assert(std::same_as<T, Value>, "the form is of another type than the member");
  static Status read(const Field& field, const Slot& slot, void* into) {
    return field.form.read(field.form, slot, into);
  }
  static Json write(const Field& field, const void* from) {
    return field.form.write(field.form, from);
  }
};
template <class T, class Value>
requires(!std::same_as<std::optional<T>, Value>) struct Shape<std::optional<T>, Value> {
  static Status read(const Field& field, const Slot& slot, void* into) {
    auto& value = *static_cast<std::optional<T>*>(into);
    value.reset();
    return slot.value().is_null() ? Status() : Shape<T, Value>::read(field, slot, &value.emplace());
  }
  static Json write(const Field& field, const void* from) {
    const auto& value = *static_cast<const std::optional<T>*>(from);
    return value ? Shape<T, Value>::write(field, &*value) : Json();
  }
};
template <class T, class Value>
requires(!std::same_as<std::vector<T>, Value>) struct Shape<std::vector<T>, Value> {
  static void* append(void* list) { return &static_cast<std::vector<T>*>(list)->emplace_back(); }
  static Status read(const Field& field, const Slot& slot, void* into) {
    static_cast<std::vector<T>*>(into)->clear();
    return read_elements(field, slot, into, append, Shape<T, Value>::read);
  }
  static Json write(const Field& field, const void* from) {
    Json list = Json::array();
    for (const T& value : *static_cast<const std::vector<T>*>(from))
      list.push_back(Shape<T, Value>::write(field, &value));
    return list;
  }
};
template <class T, class Value>
requires(
    !std::same_as<std::map<std::string, T>, Value>) struct Shape<std::map<std::string, T>, Value> {
  static void* insert(void* map, const std::string& key) {
    return &(*static_cast<std::map<std::string, T>*>(map))[key];
  }
  static Status read(const Field& field, const Slot& slot, void* into) {
    static_cast<std::map<std::string, T>*>(into)->clear();
    return read_entries(field, slot, into, insert, Shape<T, Value>::read);
  }
  static Json write(const Field& field, const void* from) {
    Json object = Json::object();
    for (const auto& [key, value] : *static_cast<const std::map<std::string, T>*>(from))
      object.add(key, Shape<T, Value>::write(field, &value));
    return object;
  }
};

template <class Member>
struct MemberPointer;
template <class C, class T>
struct MemberPointer<T C::*> {
  using Class = C;
  using Type = T;
};

// A member, or a member of a member.
template <auto first, auto... rest>
struct Path {
  using Class = typename MemberPointer<decltype(first)>::Class;
  static auto& of(Class& object) { return ((object.*first).*....*rest); }
  using Type = std::remove_cvref_t<decltype(of(std::declval<Class&>()))>;
  static void* find(void* object) { return &of(*static_cast<Class*>(object)); }
};

struct FormOfTheType {};

template <class Value, class F>
constexpr auto chosen(F form) {
  if constexpr (std::same_as<F, FormOfTheType>)
    return default_form<Value>();
  else if constexpr (std::same_as<F, Range>)
    return number<Value>(form);
  else
    return form;
}

template <class T>
bool is_empty(const void* value) {
  return *static_cast<const T*>(value) == T();
}

template <Presence presence, class P, class F>
constexpr FieldOf<typename P::Class> make_field(std::string_view key, F given) {
  using Type = typename P::Type;
  const auto form = chosen<typename Innermost<Type>::Type>(given);
  using Value = typename decltype(form)::Value;
  FieldOf<typename P::Class> field;
  field.key = key;
  field.presence = presence;
  field.form = form;
  field.member = P::find;
  field.read = Shape<Type, Value>::read;
  field.write = Shape<Type, Value>::write;
  if constexpr (presence == Presence::kSparse) field.is_empty = is_empty<Type>;
  return field;
}

}  // namespace detail

// ---- fields: required<&Subnet::gateway>("gateway"), or with two pointers for a member of a member:
// required<&HostRecord::info, &HostInfo::name>("name"). The form is that of the innermost type: an
// std::optional, std::vector or std::map of it is written as such. Without a form: strings,
// booleans, numbers, maps of strings, and every type with a static parse().

template <auto... path, class F = detail::FormOfTheType>
constexpr auto required(std::string_view key, F form = {}) {
  return detail::make_field<Presence::kRequired, detail::Path<path...>>(key, form);
}
template <auto... path, class F = detail::FormOfTheType>
constexpr auto defaulted(std::string_view key, F form = {}) {
  return detail::make_field<Presence::kDefaulted, detail::Path<path...>>(key, form);
}
template <auto... path, class F = detail::FormOfTheType>
constexpr auto sparse(std::string_view key, F form = {}) {
  return detail::make_field<Presence::kSparse, detail::Path<path...>>(key, form);
}

// What `show`, a Json(const T&), makes of the object; left out when it is null, and accepted and
// ignored when the object is read.
template <class T, Json (*show)(const T&)>
constexpr FieldOf<T> shown(std::string_view key) {
  FieldOf<T> field;
  field.key = key;
  field.presence = Presence::kWritten;
  field.write = [](const Field&, const void* object) {
    return show(*static_cast<const T*>(object));
  };
  return field;
}

// A key that a reader accepts without looking at it, and that is never written.
template <class T>
constexpr FieldOf<T> ignored(std::string_view key) {
  FieldOf<T> field;
  field.key = key;
  field.presence = Presence::kIgnored;
  return field;
}

}  // namespace fairlead::json
