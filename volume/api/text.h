// Parses and formats what users write: sizes and durations; and shows texts of unknown origin
// safely.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead::volume {

// The text as it may appear on a terminal and in a log: control bytes masked, cut to a readable
// length.
std::string shown(std::string_view text);

// Whether the text is UTF-8 (RFC 3629) without control characters, which a record can hold and
// return unchanged.
bool is_plain_text(std::string_view text);

// Bytes, as Docker's RAMInBytes reads them: "512m", "1.5t", "10GiB"; base 1024, any case.
Result<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);  // the largest unit that is exact: "512m"

// "0", "90s", "24h", "7d", "1h30m"; units s m h d w y (365 days), at most 100 years.
Result<std::chrono::seconds> parse_duration(std::string_view text);
std::string format_duration(
    std::chrono::seconds duration);  // the largest unit that is exact: "36h"

}  // namespace fairlead::volume
