// Values as users write them, in options and arguments: one grammar for each kind, the same
// everywhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead {

// "true", "t", "yes", "on" and "1", or "false", "f", "no", "off" and "0", in any case: the words of
// strconv.ParseBool, which Docker takes, and those of people.
Result<bool> parse_bool(std::string_view text);

// A quantity is a number, perhaps with a fraction, and a unit: k, m, g, t or p, perhaps followed by
// an "i" and by the name of what is counted, in any case: "4096", "512m", "1.5t", "10GiB", "10 g".

// Bytes ("b"), at most INT64_MAX; the units are powers of 1024, as Docker's RAMInBytes has them.
Result<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);  // the largest unit that is exact: "512m"
std::string rough_size(std::uint64_t bytes);   // for people, one decimal at most: "671.6 MiB"

// Bits ("bit") per second; the units are powers of 1000, as tc(8) has them, and with an "i" powers
// of 1024.
Result<std::uint64_t> parse_rate(std::string_view text);

// "0", "90s", "24h", "7d", "1h30m"; units s m h d w y (365 days), at most 100 years.
Result<std::chrono::seconds> parse_duration(std::string_view text);
std::string format_duration(
    std::chrono::seconds duration);  // the largest unit that is exact: "36h"

}  // namespace fairlead
