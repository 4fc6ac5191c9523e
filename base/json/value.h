// One JSON value (RFC 8259), as a tree. nlohmann_json parses and escapes; its own tree is kept out
// of this header, because every file that made one would compile it anew: 5 to 8 seconds each.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace fairlead::json {

class Json;

template <class T>
concept Number = std::is_arithmetic_v<T> && !std::same_as<T, bool>;

// A value that owns what is in it. Members of an object keep the order in which they were added.
// Accessors that expect another kind of value throw std::logic_error: what came from outside is
// looked at through Object first (json.h), or asked with is_string() and its like.
class Json {
 public:
  struct Member;
  using Array = std::vector<Json>;
  using Members = std::vector<Member>;

  Json() noexcept;  // null
  Json(std::nullptr_t) noexcept;
  template <std::same_as<bool> T>
  Json(T value) {
    set_boolean(value);
  }
  template <Number T>
  Json(T value) {
    if constexpr (std::floating_point<T>)
      set_real(value);
    else if constexpr (std::unsigned_integral<T>)
      set_unsigned(value);
    else
      set_integer(value);
  }
  Json(const char* text);
  Json(std::string_view text);
  Json(std::string text);
  Json(const std::vector<std::string>& texts);
  Json(const std::map<std::string, std::string>& members);
  // As in nlohmann_json: {{"a", 1}, {"b", 2}} is an object, any other list an array.
  Json(std::initializer_list<Json> values);

  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();

  static Json array();
  static Json array(std::initializer_list<Json> values);
  static Json object();
  // The bytes of a string literal as a value; throws std::logic_error when they are not JSON.
  static Json parse(std::string_view text);

  bool is_null() const;
  bool is_boolean() const;
  bool is_number() const;
  bool is_number_integer() const;   // without a fraction
  bool is_number_unsigned() const;  // and not negative
  bool is_string() const;
  bool is_array() const;
  bool is_object() const;
  std::string_view type_name() const;  // "string", "number", ...

  bool boolean() const;
  const std::string& string() const;
  std::int64_t integer() const;            // of an unsigned one above INT64_MAX: its bits
  std::uint64_t unsigned_integer() const;  // of a negative one: its bits
  double real() const;
  template <class T>
  T get() const {
    if constexpr (std::same_as<T, std::string>)
      return string();
    else if constexpr (std::same_as<T, bool>)
      return boolean();
    else if constexpr (std::floating_point<T>)
      return static_cast<T>(real());
    else if constexpr (std::unsigned_integral<T>)
      return static_cast<T>(unsigned_integer());
    else
      return static_cast<T>(integer());
  }

  // Elements of an array or members of an object; a string or a number counts as 1, null as 0.
  std::size_t size() const;
  bool empty() const { return size() == 0; }

  // The elements of an array. Objects have members(); anything else has nothing to iterate over.
  const Json* begin() const;
  const Json* end() const;
  Json* begin();
  Json* end();
  // std::out_of_range. (Templates: a literal 0 would be a null pointer to a key as well.)
  template <std::integral T>
  const Json& operator[](T index) const {
    return element(static_cast<std::size_t>(index));
  }
  template <std::integral T>
  Json& operator[](T index) {
    return const_cast<Json&>(element(static_cast<std::size_t>(index)));
  }
  const Json& front() const { return element(0); }
  const Json& back() const { return element(size() - 1); }
  void push_back(Json value);  // makes an array of null

  // The members of an object; of any other value none.
  const Members& members() const&;
  const Members& members() && = delete;          // they would not outlive a loop over them
  const Json* find(std::string_view key) const;  // nullptr: there is none
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  const Json& at(std::string_view key) const;          // std::out_of_range
  const Json& operator[](std::string_view key) const;  // null when there is none
  const Json& operator[](const char* key) const { return (*this)[std::string_view(key)]; }
  Json& operator[](std::string_view key);  // makes an object of null, and the member
  Json& operator[](const char* key) { return (*this)[std::string_view(key)]; }
  template <class T>
  T value(std::string_view key, T fallback) const {
    const Json* found = find(key);
    if (found == nullptr) return fallback;
    if constexpr (std::same_as<T, Json>)
      return *found;
    else
      return found->get<T>();
  }
  void erase(std::string_view key);
  // A member that is known to be new, without looking for it.
  void add(std::string key, Json value);

  // Text without blanks, in the order of the members; `indent` > 0: on lines of their own, as
  // people read it. Bytes that are not UTF-8 are replaced, so that it never fails.
  std::string dump(int indent = 0) const;
  // The same with the members of each object sorted by their keys: the form of records and plugin
  // protocols, which two writers of the same value must agree on.
  std::string sorted_dump(int indent = 0) const;

  // The order of members does not matter; 1 and 1.0 differ as text and are equal.
  friend bool operator==(const Json& a, const Json& b) { return equal(a, b); }
  friend std::ostream& operator<<(std::ostream& out, const Json& value);

 private:
  void set_boolean(bool value);
  void set_integer(std::int64_t value);
  void set_unsigned(std::uint64_t value);
  void set_real(double value);
  const Json& element(std::size_t index) const;
  static bool equal(const Json& a, const Json& b);

  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Members>
      value_;
};

struct Json::Member {
  std::string key;
  Json value;
};

}  // namespace fairlead::json
