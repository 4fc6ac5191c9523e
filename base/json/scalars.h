// What Object (json.h) and tables of fields (fields.h) agree on: how keys are compared, which values
// count as a boolean, a number or a text, and what is said about an unknown key.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json/json.h"

namespace fairlead::json {

bool same_key(std::string_view a, std::string_view b, Keys keys);

// The member `key` of an object; nullptr when it is absent, or null.
const Json* find_member(const Json& object, std::string_view key, Keys keys);

std::optional<bool> as_boolean(const Json& value);  // also "true" and "false" in any case (CNI)
// std::nullopt when the number, which has no fraction, does not lie in the range.
std::optional<std::int64_t> as_integer(const Json& value, std::int64_t least, std::int64_t most);
std::optional<std::string> as_text(const Json& value);  // of a string, a number or a boolean

// "field <path> is not known; did you mean ...?"
tl::unexpected<Error> unknown_field(const std::string& path, std::string_view key,
                                    std::span<const std::string_view> known);

}  // namespace fairlead::json
