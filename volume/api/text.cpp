#include "volume/api/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <span>

namespace fairlead::volume {

namespace {

struct Unit {
  char letter;
  std::uint64_t factor;
};

// Largest first, so that formatting finds the largest unit that is exact.
constexpr std::array<Unit, 5> kSizeUnits{{{'p', 1ULL << 50},
                                          {'t', 1ULL << 40},
                                          {'g', 1ULL << 30},
                                          {'m', 1ULL << 20},
                                          {'k', 1ULL << 10}}};
constexpr std::array<Unit, 6> kTimeUnits{
    {{'y', 365 * 86400}, {'w', 7 * 86400}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};
constexpr std::uint64_t kLongestSeconds = 100ULL * 365 * 86400;

std::uint64_t factor_of(std::span<const Unit> units, char letter) {
  const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  const auto unit = std::ranges::find(units, lower, &Unit::letter);
  return unit == units.end() ? 0 : unit->factor;
}

// Takes a run of digits off the front. std::nullopt when there is none or the number does not fit.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// Takes the fraction (".5") off the front. Returns its digits, with `divisor` set to their power of
// ten.
std::optional<std::uint64_t> take_fraction(std::string_view& text, std::uint64_t& divisor) {
  divisor = 1;
  if (!text.starts_with('.')) return 0;
  text.remove_prefix(1);
  const std::size_t before = text.size();
  const auto digits = take_number(text);
  if (!digits || before - text.size() > 9) return std::nullopt;
  for (std::size_t k = text.size(); k < before; ++k) divisor *= 10;
  return digits;
}

// Parses what may follow the number: a unit letter, an "i" and a "b", each optional.
std::uint64_t unit_factor(std::string_view unit) {
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  std::uint64_t factor = 1;
  if (!unit.empty() && factor_of(kSizeUnits, unit[0]) != 0) {
    factor = factor_of(kSizeUnits, unit[0]);
    unit.remove_prefix(1);
    if (unit.starts_with('i') || unit.starts_with('I')) unit.remove_prefix(1);
  }
  if (unit.starts_with('b') || unit.starts_with('B')) unit.remove_prefix(1);
  return unit.empty() ? factor : 0;
}

// The length of the UTF-8 sequence at the front, or 0 when there is no valid one.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xc2 ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t k = 1; k < length; ++k)
    if ((byte(k) & 0xc0) != 0x80) return 0;
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) >= 0xa0;
  const bool beyond = lead == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

}  // namespace

std::string shown(std::string_view text) {
  std::string masked(text.substr(0, 64));
  std::ranges::replace_if(
      masked, [](unsigned char c) { return is_control(c) || c >= 0x80; }, '?');
  if (text.size() > 64) masked += fmt::format("... ({} bytes)", text.size());
  return masked;
}

bool is_plain_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0 || is_control(static_cast<unsigned char>(text[0]))) return false;
    text.remove_prefix(length);
  }
  return true;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto bad = [&] {
    return fail(Code::kInvalid,
                "\"{}\" is not a size; write bytes or a number with k, m, g or t (like 10g)",
                shown(text));
  };
  std::string_view rest = text;
  std::uint64_t divisor = 1;
  const auto whole = take_number(rest);
  if (!whole) return bad();
  const auto fraction = take_fraction(rest, divisor);
  const std::uint64_t factor = fraction ? unit_factor(rest) : 0;
  if (factor == 0 || (divisor > 1 && factor == 1)) return bad();
  if (*whole > (INT64_MAX - factor) / factor)
    return fail(Code::kInvalid, "\"{}\" is too large for a size", shown(text));
  __extension__ using Wide = unsigned __int128;
  return *whole * factor + static_cast<std::uint64_t>(Wide{*fraction} * factor / divisor);
}

std::string format_size(std::uint64_t bytes) {
  for (const Unit& unit : kSizeUnits)
    if (bytes >= unit.factor && bytes % unit.factor == 0)
      return fmt::format("{}{}", bytes / unit.factor, unit.letter);
  return std::to_string(bytes);
}

Result<std::chrono::seconds> parse_duration(std::string_view text) {
  const auto bad = [&] {
    return fail(
        Code::kInvalid,
        "\"{}\" is not a duration of at most 100y; write numbers with s, m, h, d, w or y (like 7d)",
        shown(text));
  };
  if (text == "0") return std::chrono::seconds(0);
  std::uint64_t total = 0;
  std::string_view rest = text;
  do {
    const auto number = take_number(rest);
    const std::uint64_t factor = number && !rest.empty() ? factor_of(kTimeUnits, rest[0]) : 0;
    if (factor == 0 || *number > kLongestSeconds / factor) return bad();
    total += *number * factor;
    if (total > kLongestSeconds) return bad();
    rest.remove_prefix(1);
  } while (!rest.empty());
  return std::chrono::seconds(static_cast<std::int64_t>(total));
}

std::string format_duration(std::chrono::seconds duration) {
  const auto seconds = static_cast<std::uint64_t>(duration.count());
  for (const Unit& unit : kTimeUnits)
    if (seconds >= unit.factor && seconds % unit.factor == 0)
      return fmt::format("{}{}", seconds / unit.factor, unit.letter);
  return "0";
}

}  // namespace fairlead::volume
