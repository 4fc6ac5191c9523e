// Texts of unknown origin, checked and made safe to show.
#pragma once

#include <string>
#include <string_view>

namespace fairlead {

// The text as it may appear on a terminal and in a log: control bytes masked, cut to a readable
// length.
std::string shown(std::string_view text);

// Whether the text is UTF-8 (RFC 3629) without control characters, which a record can hold and
// return unchanged.
bool is_plain_text(std::string_view text);

}  // namespace fairlead
