// Names of the DNS as keys: each label behind its length, without the root's, and ASCII letters in lower case (RFC 4343).
// "web.shop" is "\3web\4shop". So a dot within a label is none between labels, and all other bytes, those of UTF-8 too, are what
// they are (RFC 2181 section 11). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"

namespace fairlead::dns {

// Of what people call something. std::nullopt: it has an empty label or one of more than 63 bytes, or is longer than 253 bytes
// (RFC 1035 section 2.3.4), so that nobody can ask for it.
std::optional<std::string> key_of(std::string_view text);
// Of a name out of a question (scan.h).
std::string lowered(std::string name);

// Of a key or name that is not the root's.
std::string_view first_label(std::string_view key);
std::string_view without_first_label(std::string_view key);
// What is before `suffix`, without being empty; std::nullopt: `key` does not end with its labels.
std::optional<std::string_view> before(std::string_view key, std::string_view suffix);
// Whether it is `suffix`, or ends with its labels.
bool is_at_or_below(std::string_view key, std::string_view suffix);

// The address whose name is asked for (RFC 1035 section 3.5, RFC 3596 section 2.5); std::nullopt: that of none.
std::optional<IpAddress> reverse_address(std::string_view key);

}  // namespace fairlead::dns
