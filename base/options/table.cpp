#include "base/options/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "base/text.h"

namespace fairlead::options {

namespace {

constexpr std::size_t kMostOptions = 256, kLongestKey = 256, kLongestValue = 4096;
constexpr std::size_t kLongestWord = 64;  // that is compared with known ones

}  // namespace

std::string quoted(std::string_view noun, std::string_view key) {
  return fmt::format("{} \"{}\"", noun, shown(key));
}

Status check_text(std::string_view noun, std::string_view key, std::string_view value) {
  if (key.size() > kLongestKey || value.size() > kLongestValue)
    return fail(Code::kInvalid, "{} is too long: at most {} bytes, and {} for its name",
                quoted(noun, key), kLongestValue, kLongestKey);
  if (!is_plain_text(key) || !is_plain_text(value))
    return fail(Code::kInvalid, "{} holds control characters or is not UTF-8", quoted(noun, key));
  return {};
}

Status check_count(std::string_view noun, std::size_t count) {
  if (count > kMostOptions)
    return fail(Code::kInvalid, "{} {}s are too many: at most {}", count, noun, kMostOptions);
  return {};
}

namespace {

std::string_view behind_last_dot(std::string_view word) {
  const std::size_t dot = word.rfind('.');
  return dot == word.npos ? word : word.substr(dot + 1);
}

// Long names that begin alike are not close for that: what is behind their last dot is compared, first
// with names in the words of the same protocol.
std::string closest_to(std::string_view word, std::span<const std::string_view> known) {
  if (word.find('.') == word.npos) return closest_word(word, known.data(), known.size());
  for (const bool dotted : {true, false}) {
    std::vector<std::string_view> some, ends;
    for (const std::string_view each : known) {
      if ((each.find('.') != each.npos) != dotted) continue;
      some.push_back(each);
      ends.push_back(behind_last_dot(each));
    }
    const std::string end = closest_word(behind_last_dot(word), ends.data(), ends.size());
    for (std::size_t i = 0; !end.empty() && i < ends.size(); ++i)
      if (ends[i] == end) return std::string(some[i]);
  }
  return {};
}

}  // namespace

std::string suggestion(std::string_view word, std::span<const std::string_view> known,
                       std::span<const std::string_view> listed) {
  const std::string closest = closest_to(word.substr(0, kLongestWord), known);
  return closest.empty() ? fmt::format("known are {}", fmt::join(listed, ", "))
                         : fmt::format("did you mean \"{}\"?", closest);
}

tl::unexpected<Error> given_twice(std::string_view noun, std::string_view name, const Given& before,
                                  const Given& again) {
  const auto text = [](const Given& given) {
    return fmt::format("{}={}", shown(given.key), shown(given.value));
  };
  return fail(Code::kInvalid, "{} is given twice, as {} and as {}", quoted(noun, name),
              text(before), text(again));
}

}  // namespace fairlead::options
