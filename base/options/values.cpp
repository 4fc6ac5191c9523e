#include "base/options/values.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <span>

#include "base/text.h"

namespace fairlead {

namespace {

__extension__ using Wide = unsigned __int128;

char to_lower(char letter) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
}

bool is_same_word(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, {}, to_lower);
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

// ---- quantities

constexpr std::string_view kPrefixes = "kmgtp";  // each a power more than the one before

// What the units of a quantity are.
struct Scale {
  std::uint64_t step;        // from one unit to the next
  std::string_view counted;  // "b", "bit"; may follow the unit
  std::uint64_t most;
  std::string_view noun, usage;  // for errors
};
constexpr Scale kBytes{1024, "b", INT64_MAX, "a size",
                       "write bytes or a number with k, m, g or t (like 10g)"};
constexpr Scale kBits{1000, "bit", UINT64_MAX, "a rate in bits per second",
                      "write bits or a number with k, m, g or t (like 100m)"};

std::uint64_t power(std::uint64_t base, std::size_t exponent) {
  std::uint64_t value = 1;
  while (exponent-- > 0) value *= base;
  return value;
}

// Parses what may follow the number. 0 when it is no unit.
std::uint64_t factor_of(std::string_view unit, const Scale& scale) {
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  std::uint64_t factor = 1;
  const auto prefix = unit.empty() ? std::string_view::npos : kPrefixes.find(to_lower(unit[0]));
  if (prefix != std::string_view::npos) {
    unit.remove_prefix(1);
    const bool binary = !unit.empty() && to_lower(unit[0]) == 'i';
    if (binary) unit.remove_prefix(1);
    factor = power(binary ? 1024 : scale.step, prefix + 1);
  }
  return unit.empty() || is_same_word(unit, scale.counted) ? factor : 0;
}

Result<std::uint64_t> parse_quantity(std::string_view text, const Scale& scale) {
  std::string_view rest = text;
  std::uint64_t divisor = 1;
  const auto whole = take_number(rest);
  const auto fraction = whole ? take_fraction(rest, divisor) : std::nullopt;
  const std::uint64_t factor = fraction ? factor_of(rest, scale) : 0;
  if (factor == 0 || (divisor > 1 && factor == 1))
    return fail(Code::kInvalid, "\"{}\" is not {}; {}", shown(text), scale.noun, scale.usage);
  const Wide value = Wide{*whole} * factor + Wide{*fraction} * factor / divisor;
  if (value > scale.most)
    return fail(Code::kInvalid, "\"{}\" is too large for {}", shown(text), scale.noun);
  return static_cast<std::uint64_t>(value);
}

// ---- durations

struct Unit {
  char letter;
  std::uint64_t factor;
};
// Largest first, so that formatting finds the largest unit that is exact.
constexpr std::array<Unit, 6> kTimeUnits{
    {{'y', 365 * 86400}, {'w', 7 * 86400}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};
constexpr std::uint64_t kLongestSeconds = 100ULL * 365 * 86400;

std::uint64_t seconds_of(char letter) {
  const auto unit = std::ranges::find(kTimeUnits, to_lower(letter), &Unit::letter);
  return unit == kTimeUnits.end() ? 0 : unit->factor;
}

}  // namespace

Result<bool> parse_bool(std::string_view text) {
  const auto is = [&](std::string_view word) { return is_same_word(text, word); };
  constexpr std::array<std::string_view, 5> yes{"true", "t", "yes", "on", "1"};
  constexpr std::array<std::string_view, 5> no{"false", "f", "no", "off", "0"};
  if (std::ranges::any_of(yes, is)) return true;
  if (std::ranges::any_of(no, is)) return false;
  return fail(Code::kInvalid, "\"{}\" is neither true (yes, on, 1) nor false (no, off, 0)",
              shown(text));
}

Result<std::uint64_t> parse_size(std::string_view text) { return parse_quantity(text, kBytes); }

Result<std::uint64_t> parse_rate(std::string_view text) { return parse_quantity(text, kBits); }

std::string format_size(std::uint64_t bytes) {
  for (std::size_t exponent = kPrefixes.size(); exponent > 0; --exponent) {
    const std::uint64_t factor = power(kBytes.step, exponent);
    if (bytes >= factor && bytes % factor == 0)
      return fmt::format("{}{}", bytes / factor, kPrefixes[exponent - 1]);
  }
  return std::to_string(bytes);
}

std::string rough_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 7> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1023.95 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  const std::string number = fmt::format("{:.1f}", value);
  return fmt::format("{} {}", number.ends_with(".0") ? number.substr(0, number.size() - 2) : number,
                     kUnits[unit]);
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
    const std::uint64_t factor = number && !rest.empty() ? seconds_of(rest[0]) : 0;
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

}  // namespace fairlead
