// Helpers of the codec: one field of a JSON object as one value of the core.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/json.h"
#include "plugin-api/native/codec.h"

namespace fairlead::native {

using json::Object;

// Refuses fields that are not in `known`, with a suggestion; names too long to be a slip are not
// compared.
Status only_known(const Object& object, std::initializer_list<std::string_view> known);

// The required, non-empty string `key`, parsed; the error names the field.
template <class T>
Result<T> parsed(const Object& object, std::string_view key, Result<T> (*parse)(std::string_view)) {
  TRY(auto text, object.string(key));
  auto value = parse(text);
  if (!value) return fail(with_context(value.error(), "field " + object.path_of(key)));
  return value;
}

template <class T>
Result<std::optional<T>> parsed_or_none(const Object& object, std::string_view key,
                                        Result<T> (*parse)(std::string_view)) {
  if (object.find(key) == nullptr) return std::optional<T>();
  TRY(auto value, parsed(object, key, parse));
  return std::optional<T>(std::move(value));
}

template <class T>
Result<std::vector<T>> parsed_list(const Object& object, std::string_view key,
                                   Result<T> (*parse)(std::string_view)) {
  std::vector<T> values;
  TRY(auto texts, object.strings_or_empty(key));
  for (const std::string& text : texts) {
    auto value = parse(text);
    if (!value)
      return fail(with_context(value.error(),
                               fmt::format("field {}[{}]", object.path_of(key), values.size())));
    values.push_back(std::move(*value));
  }
  return values;
}

// A map of strings; keys are 1 to 256 bytes and neither keys nor values hold a NUL.
Result<std::map<std::string, std::string>> strings(const Object& object, std::string_view key);

// Bytes: a positive number, or a text as in options ("10g").
Result<std::optional<std::uint64_t>> size_or_none(const Object& object, std::string_view key);

// 1 to `most` characters of [0-9a-zA-Z_.-]: ids and names of other programs.
Result<std::string> parse_token(std::string_view text, std::size_t most);
Result<std::string> parse_id(std::string_view text);  // at most 128
Result<std::string> parse_label(
    std::string_view text);  // at most 255: a container, a runtime, a host name

std::map<std::string, std::string> texts_of(const std::map<std::string, IpAddress>& addresses);

template <class Values>
std::vector<std::string> texts_of(const Values& values) {
  std::vector<std::string> texts;
  for (const auto& value : values) texts.push_back(value.to_string());
  return texts;
}

Document encode_rates(const network::Rates& rates);

}  // namespace fairlead::native
