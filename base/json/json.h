// JSON at the borders: parsed without exceptions and within limits, read by helpers that name the
// missing or wrong field.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/value.h"
#include "base/result.h"

namespace fairlead::json {

// kInvalid with the position when `text` is not one JSON value, is nested deeper than 64 levels, or
// is not UTF-8. The members of objects come sorted by their keys; of two with the same key the last
// one counts.
Result<Json> parse(std::string_view text);

// Json::sorted_dump: the form of records and of the plugin protocols.
std::string dump(const Json& value);

enum class Keys {
  kExact,
  kAnyCase,  // as Go's encoding/json: CNI's capability values arrive capitalised
};

// A view of a JSON object that knows its place in the document ("plugins[0].ipam"). Absent and null
// are the same. Borrowed: the document must outlive the view.
class Object {
 public:
  // kInvalid when `value` is not an object. `path` is empty for the document itself.
  static Result<Object> of(const Json& value, std::string path = {}, Keys keys = Keys::kExact);

  const Json* find(std::string_view key) const;  // nullptr: absent or null
  const Json& raw() const { return *value_; }
  const std::string& path() const { return path_; }
  Keys keys() const { return keys_; }
  std::string path_of(std::string_view key) const;

  // Required fields: kInvalid "field <path> is missing" / "field <path> must be a string".
  Result<std::string> string(std::string_view key) const;
  Result<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most) const;
  Result<Object> object(std::string_view key) const;

  // Optional fields: the fallback when absent; a wrong type is still an error.
  Result<std::string> string_or(std::string_view key, std::string fallback) const;
  Result<std::int64_t> integer_or(std::string_view key, std::int64_t least, std::int64_t most,
                                  std::int64_t fallback) const;
  Result<bool> bool_or(std::string_view key, bool fallback) const;  // also "true" and "false" (CNI)
  Result<std::optional<Object>> object_or_none(std::string_view key) const;
  Result<std::vector<std::string>> strings_or_empty(std::string_view key) const;
  // Elements of an array, each a view of an object.
  Result<std::vector<Object>> objects_or_empty(std::string_view key) const;
  // An object whose values are strings, numbers or booleans, all as text (Docker's Opts).
  Result<std::map<std::string, std::string>> string_map_or_empty(std::string_view key) const;

  // Refuses any key that is not in `known`, suggesting the closest one.
  Status only(std::initializer_list<std::string_view> known) const;

 private:
  Object(const Json* value, std::string path, Keys keys)
      : value_(value), path_(std::move(path)), keys_(keys) {}
  tl::unexpected<Error> wrong(std::string_view key, std::string_view expected) const;

  const Json* value_;
  std::string path_;
  Keys keys_;
};

}  // namespace fairlead::json
